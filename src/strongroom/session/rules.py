"""What a session is given from outside: its listener's rules, and randomness. Used by `postgres`; pure."""

from dataclasses import dataclass, field

from strongroom.session.relay import Limits


@dataclass(frozen=True, slots=True)
class Rules:
    """What holds for all sessions of one listener."""

    database: str
    limits: Limits
    startup_packet_bytes: int
    tls_required: bool = False
    recorded: bool = False
    """Whether statements are recorded (`effects.Record`)."""
    intended: bool = False
    """Whether they are before they go upstream, which waits for that (`effects.Keep`)."""
    mock_secret: bytes = field(default=b"", repr=False)


@dataclass(frozen=True, slots=True)
class Entropy:
    """Random things for one session, drawn by the shell."""

    login_nonce: str = field(repr=False)
    process_id: int
    secret_key: bytes = field(repr=False)
    """32 octets; protocol 3.0 has room for the first four."""
