"""HTTP to a Vault or OpenBao server: the login, bounded waits and attempts, and what its answers mean.

Certificates are always verified; redirects are not followed, since the token would go along; proxies of the
environment are not used. Nothing is kept but the connection, and the token of an AppRole login. No text of
the server's gets into a message. Called by ``vault``.
"""

import json
import ssl
import time
import weakref
from collections.abc import Mapping
from dataclasses import dataclass, field
from http import HTTPStatus

import httpx2

from strongroom.config.vault_address import AppRole, TokenFile, VaultAddress
from strongroom.errors import InvalidTlsSettings, RootRefused, RootUnreachable
from strongroom.keys.root.credential_file import CREDENTIAL, read_credential
from strongroom.secret import Secret

MAX_ANSWER = 1 << 20
"""Octets. What we ask for has at most 128 KiB."""


@dataclass(frozen=True, slots=True)
class Patience:
    """How long a server is waited for, in seconds: at worst about a minute in all."""

    connect: float = 5.0
    step: float = 10.0
    """For each read and write."""

    answer: float = 20.0
    """For a whole answer, which a server could otherwise send octet by octet."""

    pauses: tuple[float, ...] = (0.2, 1.0)
    """Before the second and third attempt, which are made where nothing or a 5xx comes back."""


PATIENCE = Patience()


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer that is Vault's: the data of a good one, the errors of one that says no."""

    status: int
    data: Mapping[str, object] = field(repr=False)
    errors: str

    @property
    def is_good(self) -> bool:
        """Whether what was asked for is there."""
        return self.status < HTTPStatus.BAD_REQUEST


class VaultClient:
    """One server, logged in to as its address says."""

    __slots__ = ("__weakref__", "_address", "_http", "_patience", "_token")

    def __init__(self, address: VaultAddress, patience: Patience = PATIENCE) -> None:
        self._address = address
        self._patience = patience
        timeout = httpx2.Timeout(patience.step, connect=patience.connect)
        self._http = httpx2.Client(verify=_trust(address), trust_env=False, timeout=timeout)
        self._token: Secret | None = None
        weakref.finalize(self, self._http.close)  # a root has no end of its own: it goes with its owner

    def read(self, path: str) -> Answer:
        """GET; raises ``RootUnreachable`` or ``RootRefused``, but for 400 and 404, which the caller knows."""
        return self._authenticated("GET", path, None)

    def write(self, path: str, body: Mapping[str, str]) -> Answer:
        """POST; raises as ``read`` does."""
        return self._authenticated("POST", path, body)

    def _authenticated(self, method: str, path: str, body: Mapping[str, str] | None) -> Answer:
        answer = self._attempts(method, path, body, self._credential())
        if answer.status == HTTPStatus.FORBIDDEN and isinstance(self._address.login, AppRole):
            self._token = None  # it has expired, most likely: tokens of an AppRole do
            answer = self._attempts(method, path, body, self._credential())
        if answer.status == HTTPStatus.FORBIDDEN:
            raise RootRefused(
                f"{self._address.url} forbids {method} {path}",
                hint="see that the token is valid and has the policy in docs/guides/roots.md",
            )
        return answer

    def _credential(self) -> Secret:
        match self._address.login:
            case Secret() as token:
                return token
            case TokenFile(path):
                return read_credential(path, "token")
            case AppRole() as role:
                self._token = self._token or self._log_in(role)
                return self._token

    def _log_in(self, role: AppRole) -> Secret:
        secret_id = read_credential(role.secret_id_file, "secret id")
        body = {"role_id": role.role_id, "secret_id": secret_id.danger_reveal()}
        answer = self._attempts("POST", f"auth/{role.mount}/login", body, None)
        token = answer.data.get("client_token")
        if not answer.is_good or not isinstance(token, str) or not CREDENTIAL.fullmatch(token):
            raise RootRefused(
                f"{self._address.url} refuses the AppRole login",
                hint="see that role_id and secret id belong together, and that the secret id has not expired",
            )
        return Secret(token)

    def _attempts(
        self, method: str, path: str, body: Mapping[str, str] | None, token: Secret | None
    ) -> Answer:
        """The first answer that is not a passing failure; each request may be made twice without harm."""
        for seconds in self._patience.pauses:
            try:
                return self._request(method, path, body, token)
            except _Passing:
                time.sleep(seconds)
        return self._request(method, path, body, token)

    def _request(
        self, method: str, path: str, body: Mapping[str, str] | None, token: Secret | None
    ) -> Answer:
        # Agents of Vault may insist on the first; what is compressed could grow beyond measure.
        headers = {"X-Vault-Request": "true", "Accept-Encoding": "identity"}
        if token is not None:
            headers["X-Vault-Token"] = token.danger_reveal()
        if self._address.namespace:
            headers["X-Vault-Namespace"] = self._address.namespace
        request = self._http.build_request(
            method, f"{self._address.url}/v1/{path}", headers=headers, json=body
        )
        try:
            status, content = self._exchange(request)
        except httpx2.HTTPError as error:
            raise self._no_answer(error) from None
        return self._understood(status, content)

    def _exchange(self, request: httpx2.Request) -> tuple[int, bytes]:
        """Status and content, within bounds of time and size."""
        deadline = time.monotonic() + self._patience.answer
        content = bytearray()
        response = self._http.send(request, stream=True)
        try:
            for chunk in response.iter_raw():
                content += chunk
                if len(content) > MAX_ANSWER:
                    raise self._nonsense()
                if time.monotonic() > deadline:
                    raise httpx2.ReadTimeout("the whole answer", request=request)
        finally:
            response.close()
        return response.status_code, bytes(content)

    def _no_answer(self, error: httpx2.HTTPError) -> RootUnreachable:
        url = self._address.url
        if _is_untrusted(error):
            return RootUnreachable(
                f"the certificate of {url} is not one to trust",
                hint="name the authority it comes from with &ca=ca.pem, and the host as the certificate does",
            )
        if isinstance(error, httpx2.TimeoutException):
            return _Passing(f"{url} does not answer in time")
        return _Passing(f"{url} does not answer")

    def _understood(self, status: int, content: bytes) -> Answer:
        if HTTPStatus.MULTIPLE_CHOICES <= status < HTTPStatus.BAD_REQUEST:
            raise RootRefused(
                f"{self._address.url} sends us elsewhere, and a token is not sent after it",
                hint="write the address of the active server, or of the load balancer before all of them",
            )
        answer = self._parsed(status, content)
        if status == HTTPStatus.SERVICE_UNAVAILABLE and "sealed" in answer.errors:
            raise RootUnreachable(
                f"{self._address.url} is sealed", hint="unseal it there: bao operator unseal"
            )
        if _is_passing(status):
            raise _Passing(f"{self._address.url} cannot answer now: status {status}")
        if status >= HTTPStatus.BAD_REQUEST and status not in _KNOWN:
            raise self._nonsense()
        return answer

    def _parsed(self, status: int, content: bytes) -> Answer:
        """Its JSON: ``data`` (``auth`` of a login) of a good answer, ``errors`` of another."""
        failed = status >= HTTPStatus.BAD_REQUEST
        try:
            written = json.loads(content)
        except (ValueError, RecursionError):
            written = None
        if not isinstance(written, dict):
            if _is_passing(status):  # of a load balancer before it
                return Answer(status, {}, "")
            raise self._nonsense()
        found = written.get("errors") if failed else written.get("data") or written.get("auth")
        if failed:
            return Answer(status, {}, str(found))
        if not isinstance(found, dict):
            raise self._nonsense()
        return Answer(status, found, "")

    def _nonsense(self) -> RootUnreachable:
        return RootUnreachable(
            f"what answers at {self._address.url} is not a Vault or OpenBao server",
            hint="see that host and port are those of its API, with nothing between that answers for it",
        )


# What a server says that has quotas, is behind its primary or stands by (Vault's API, "HTTP status codes").
_BUSY = {HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.PRECONDITION_FAILED, 472, 473}
_KNOWN = {HTTPStatus.BAD_REQUEST, HTTPStatus.FORBIDDEN, HTTPStatus.NOT_FOUND}


class _Passing(RootUnreachable):
    """Worth another attempt."""


def _is_passing(status: int) -> bool:
    return status >= HTTPStatus.INTERNAL_SERVER_ERROR or status in _BUSY


def _trust(address: VaultAddress) -> ssl.SSLContext | bool:
    """The authorities in ``ca``; without it, those of the operating system."""
    if address.ca is None:
        return True
    try:
        return ssl.create_default_context(cafile=address.ca)
    except (OSError, ssl.SSLError):
        raise InvalidTlsSettings(
            f"{address.ca}: is not a file of certificates that can be read",
            hint="write &ca= and the PEM file of the authority that the server's certificate comes from",
        ) from None


def _is_untrusted(error: BaseException) -> bool:
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, ssl.SSLCertVerificationError):
            return True
        cause = cause.__cause__ or cause.__context__
    return False
