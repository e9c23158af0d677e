"""The OpenBao of the test kit."""

from tests.conftest import missing

from strongroom.testing.certificates import Authority
from strongroom.testing.installations import openbao
from strongroom.testing.openbao import OpenBao


def test_an_openbao_lives_and_goes(authority: Authority) -> None:
    """It serves its API over TLS, counts requests, and keeps its keys when it is started again, sealed."""
    program = openbao()
    if program is None:
        missing("OpenBao")
    with OpenBao.start(program, authority, shares=3, threshold=2) as bao:
        assert bao.make_root() != bao.root_token
        assert bao.call("GET", "transit/keys/strongroom")["data"]["type"] == "aes256-gcm96"
        assert bao.requests("transit/keys") == 2
        bao.shut_down()
        bao.launch()
        assert not bao.unseal(bao.shares[:1])
        assert bao.unseal(bao.shares[1:2])
        assert bao.call("GET", "transit/keys/strongroom")["data"]["latest_version"] == 1
    assert not bao.folder.exists()
