"""A stand-in for AWS KMS: moto's, in this process, on a port of its own.

``with Kms() as kms`` answers at ``kms.url`` and counts operations. moto has the shapes of KMS, and its checks
of key id and encryption context; it has no policies, no signatures that are verified, no throttling, and
encrypts with a key of its own making. Needs moto and flask (``pip install strongroom[dev]``).
"""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import boto3
from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
from werkzeug.serving import WSGIRequestHandler, make_server

from strongroom.testing.loopback import Loopback

REGION = "eu-central-1"
CREDENTIALS = {
    "AWS_ACCESS_KEY_ID": "test",
    "AWS_SECRET_ACCESS_KEY": "test",
    "AWS_EC2_METADATA_DISABLED": "true",
}
"""What the environment of its clients needs; any will do."""


class Kms(Loopback):
    """The server, and its administrator."""

    def __init__(self) -> None:
        self.calls: Counter[str] = Counter()
        """Operations so far, by KMS's names for them."""
        self._moto = DomainDispatcherApplication(create_backend_app)
        super().__init__(make_server("127.0.0.1", 0, self._counted, threaded=True, request_handler=_Silent))

    def make_key(self, **properties: str) -> str:
        """The ARN of a new key, for encryption unless said otherwise."""
        made = self.do("create_key", **{"KeyUsage": "ENCRYPT_DECRYPT"} | properties)
        return str(made["KeyMetadata"]["Arn"])

    def do(self, operation: str, **parameters: object) -> Mapping[str, Any]:
        """One operation as its administrator, by boto3's name for it."""
        client = boto3.session.Session("test", "test").client(
            "kms", region_name=REGION, endpoint_url=self.url
        )
        try:
            answer: Mapping[str, Any] = getattr(client, operation)(**parameters)
        finally:
            client.close()
        return answer

    def _counted(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        self.calls[str(environ.get("HTTP_X_AMZ_TARGET", "")).partition(".")[2]] += 1
        answer: Iterable[bytes] = self._moto(environ, start_response)
        return answer


class _Silent(WSGIRequestHandler):
    """Which writes nothing about requests."""

    def log(self, type: str, message: str, *args: object) -> None:  # noqa: A002  # the library's name
        del type, message, args
