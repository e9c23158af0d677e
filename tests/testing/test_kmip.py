"""The KMIP server of the test kit."""

from pathlib import Path

from strongroom.testing.certificates import Authority
from strongroom.testing.kmip import KmipServer


def test_a_server_lives_and_goes(tmp_path: Path) -> None:
    """Its keys outlive a restart, and go with it."""
    with KmipServer.start(Authority.make(tmp_path)) as server:
        first = server.make_key()
        assert server.calls == 2, "it was registered and activated"
        server.shut_down()
        server.restart()
        assert server.make_key() != first
        server.revoke(first)
        server.destroy(first)
    assert not server.folder.exists()
