"""Which log and which keys ``strongroom audit`` is about: what is named, else what is configured."""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer
from pydantic_core import PydanticCustomError

from strongroom.audit import verify as verifier
from strongroom.audit.checkpoint import VerifierKey
from strongroom.audit.keys import LogKey, LogKeys
from strongroom.config import Settings, load
from strongroom.config.audit import Audit
from strongroom.config.destinations import parse_bucket_address
from strongroom.errors import LogKeyInvalid, NoAuditLog, SinkRefused
from strongroom.state import look_at_state

LogOption = Annotated[
    str | None,
    typer.Option(
        "--log",
        metavar="FOLDER|URL",
        help="Another log than the configured one: https://..., s3://BUCKET/PREFIX.",
    ),
]
KeyOption = Annotated[
    list[str] | None, typer.Option("--key", metavar="KEY", help="Whose signature counts: NAME+HASH+BASE64.")
]
Witness = Annotated[
    list[str] | None,
    typer.Option("--witness", metavar="KEY", help="Who must have cosigned it."),
]
MinimumIndex = Annotated[
    int | None,
    typer.Option(min=0, help="Entries before it were pruned; as the gateway's state says unless given."),
]
Quorum = Annotated[int | None, typer.Option(help="So many witnesses are enough; all of them if left out.")]


def log_and_keys(config: Path, log: str | None, given: Sequence[str] | None) -> tuple[str, list[str]]:
    """What is named, and for the rest what is configured."""
    if log is not None and given:
        return log, list(given)
    settings = load(config)
    found = str(configured(settings).log) if log is None else log
    return found, list(given or (str(one.verifier) for one in own_keys(settings)))


def source_of(log: str) -> verifier.Source:
    """What reads a log's files: from a folder, behind a URL, or in a bucket."""
    if not log.startswith("s3://"):
        return verifier.source_of(log)
    try:
        address = parse_bucket_address(log, Path())
    except PydanticCustomError as error:
        raise typer.BadParameter(f"the address of the bucket {error.message()}") from None
    try:
        from strongroom.audit.sinks.bucket import Bucket, source  # noqa: PLC0415  # boto3 may be missing
    except ImportError:
        raise SinkRefused(
            "a bucket needs a package that is not installed", hint="pip install 'strongroom[aws]'"
        ) from None
    return source(Bucket(address))


def configured(settings: Settings) -> Audit:
    """Raises ``NoAuditLog``."""
    if settings.audit is None:
        raise NoAuditLog(f"{settings.file} has no audit:")
    return settings.audit


def own_keys(settings: Settings) -> Sequence[LogKey]:
    """All that ever signed the configured log."""
    state = look_at_state(settings.state)
    try:
        return LogKeys(state.engine, configured(settings).origin).all()
    finally:
        state.close()


def pruned_before(config: Path, log: str | None, given: Sequence[str] | None) -> int:
    """From which record on the log is to be there: by the gateway's state, and of another log all of it."""
    if log is not None and given:
        return 0
    settings = load(config)
    if log is not None and Path(log).absolute() != configured(settings).log.absolute():
        return 0
    state = look_at_state(settings.state)
    try:
        return LogKeys(state.engine, configured(settings).origin).minimum()
    finally:
        state.close()


def trust_in(keys: Sequence[str], witnesses: Sequence[str] | None, quorum: int | None) -> verifier.Trust:
    """Whom a verification believes; all witnesses that are named must have cosigned, or a ``quorum``."""
    named = [_key(one) for one in witnesses or ()]
    return verifier.Trust([_key(one) for one in keys], named, len(named) if quorum is None else quorum)


def _key(text: str) -> verifier.Key:
    try:
        return verifier.Key.parse(text)
    except ValueError:
        raise LogKeyInvalid("a key is not of the form NAME+HASH+BASE64, or damaged") from None


def verifiers(keys: Sequence[str]) -> list[VerifierKey]:
    """The same keys as ``audit.checkpoint`` wants them."""
    return [VerifierKey.parse(one) for one in keys]
