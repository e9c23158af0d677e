"""The servers of the tests: real ones, started when first asked for, one of each per test process."""

import os
import secrets
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import NoReturn

import pytest
from hypothesis import settings
from tests.conformance.tally import add_up

import strongroom
from strongroom.config.destinations import BucketAddress
from strongroom.errors import ServerFailed
from strongroom.testing.certificates import Authority
from strongroom.testing.installations import EMBEDDED, Installation, installations, seaweedfs
from strongroom.testing.seaweedfs import BUCKET, CREDENTIALS, SeaweedFs
from strongroom.testing.servers import PostgresServer
from strongroom.testing.softhsm import SoftHsm

# A loaded machine is no fault of the code. In CI examples are the same each time, as Hypothesis has it.
_usual = settings.get_profile("ci" if os.environ.get("CI") else "default")
settings.register_profile("patient", parent=_usual, deadline=None)
settings.load_profile("patient")

CACHE = Path(__file__).parent.parent / ".cache"
VERSIONS = (EMBEDDED, "15", "16", "17", "18")


@dataclass(slots=True)
class Servers:
    """The PostgreSQL servers that run now, by name."""

    authority: Authority
    running: dict[str, PostgresServer] = field(default_factory=dict)

    def server(self, name: str) -> PostgresServer:
        """The server of this name, started if need be; all but the embedded one have TLS."""
        if name not in self.running:
            self.running[name] = self._start(installation(name))
        return self.running[name]

    def _start(self, found: Installation) -> PostgresServer:
        if not found.tls:
            return PostgresServer.start(found)
        made = self.authority.server("127.0.0.1", "localhost")
        files = (self.authority.certificate, made.certificate, made.key)
        return PostgresServer.start(found, server_certificate=files)


def installation(name: str) -> Installation:
    """The programs of this name; where they are missing the test is skipped, but in CI it fails."""
    found = installations(CACHE).get(name)
    if found is None:
        missing(f"PostgreSQL {name}")
    return found


def missing(what: str) -> NoReturn:
    """Skips the test for what is not on this machine; in CI, fails it."""
    reason = f"{what} is not on this machine; `make test` fetches it"
    if os.environ.get("CI") == "true":
        pytest.fail(reason)
    pytest.skip(reason)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """The count of statements on protected tables, where any were compared."""
    reports = [
        one
        for kind in ("passed", "failed", "xfailed", "xpassed")
        for one in terminalreporter.getreports(kind)
    ]
    tally = add_up(found for one in reports for found in one.user_properties)
    if tally.sections:
        terminalreporter.section("statements on protected tables, beside a plaintext twin")
        for line in tally.lines():
            terminalreporter.line(line)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Tests of the same server version run in one process, so that each version starts but once.

    Those of the twins do, too: the last ones look at what those before them have left behind.
    """
    for item in items:
        parameters = (
            item.callspec.params if isinstance(item, pytest.Function) and hasattr(item, "callspec") else {}
        )
        version = next((value for value in parameters.values() if value in VERSIONS[1:]), None)
        if version is not None:
            item.add_marker(pytest.mark.xdist_group(f"postgresql-{version}"))
        elif "twins" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.xdist_group("twins"))


@pytest.fixture(scope="session")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    """A certificate authority for servers and clients."""
    return Authority.make(tmp_path_factory.mktemp("authority"))


@pytest.fixture(scope="session")
def servers(authority: Authority) -> Iterator[Servers]:
    """The servers of this test process."""
    running = Servers(authority)
    yield running
    for server in running.running.values():
        server.stop()


@pytest.fixture
def postgres(request: pytest.FixtureRequest, servers: Servers) -> PostgresServer:
    """A PostgreSQL: the embedded one, or the version that the test's parameter names."""
    return servers.server(getattr(request, "param", EMBEDDED))


@pytest.fixture(scope="session")
def weed() -> Path:
    """The program."""
    return seaweedfs() or missing("SeaweedFS")


@pytest.fixture(scope="session")
def seaweedfs_server(weed: Path) -> Iterator[SeaweedFs]:
    """One server for all that do not end it."""
    with SeaweedFs.start(weed) as store:
        yield store


@pytest.fixture
def store(seaweedfs_server: SeaweedFs, monkeypatch: pytest.MonkeyPatch) -> SeaweedFs:
    """The same, with the gateway's credentials in the environment."""
    for name, value in CREDENTIALS.items():
        monkeypatch.setenv(name, value)
    return seaweedfs_server


@pytest.fixture
def address(store: SeaweedFs) -> BucketAddress:
    """A prefix of its own."""
    return BucketAddress(BUCKET, f"p{secrets.token_hex(8)}", endpoint=store.url)


@pytest.fixture
def softhsm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> SoftHsm:
    """A SoftHSM with one token, ``strongroom``, which processes that this one starts see."""
    folder = tmp_path / "softhsm"
    folder.mkdir()
    try:
        hsm = SoftHsm.make(folder)
    except ServerFailed:
        missing("SoftHSM")
    hsm.add_token("strongroom")
    for name, value in hsm.environment.items():
        monkeypatch.setenv(name, value)
    source = Path(strongroom.__file__).parent.parent
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(source), os.environ.get("PYTHONPATH", "")]))
    return hsm
