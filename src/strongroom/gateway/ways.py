"""What ``audit.to:`` names, made: a way for each destination. Called by `recorder`."""

import ssl
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta

from strongroom.audit.checkpoint import VerifierKey
from strongroom.audit.sinks.follower import Follower
from strongroom.audit.sinks.lines import LinesSink
from strongroom.audit.sinks.syslog import SyslogSink
from strongroom.config.audit import Audit
from strongroom.config.destinations import S3, Syslog
from strongroom.errors import InvalidTlsSettings, SinkRefused
from strongroom.gateway.shipping import Way

LOOK_SECONDS = 1.0
"""Between two looks for records, which a checkpoint covers after as long."""


def ways_of(audit: Audit, keys: Sequence[VerifierKey]) -> list[Way]:
    """All of them; raises a ``ConfigError`` where one cannot be."""
    return list(_ways(audit, keys))


def _ways(audit: Audit, keys: Sequence[VerifierKey]) -> Iterator[Way]:
    for name, destination in audit.to.items():
        if destination.s3 is not None:
            yield _s3(name, destination.s3, audit, keys)
        if destination.lines is not None:
            follower = Follower(audit.log, name, list(keys))
            limit, keep = destination.lines.megabytes * 1_000_000, destination.lines.keep
            sink = LinesSink(follower, destination.lines.file, limit=limit, keep=keep)
            yield Way(name, sink, LOOK_SECONDS)
        if destination.syslog is not None:
            server = destination.syslog.server
            context = _context(destination.syslog)
            follower = Follower(audit.log, name, list(keys))
            yield Way(
                name, SyslogSink(follower, server.host, server.port, context, audit.origin), LOOK_SECONDS
            )


def _context(given: Syslog) -> ssl.SSLContext:
    """Raises ``InvalidTlsSettings``."""
    try:
        context = ssl.create_default_context(cafile=given.ca)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        if given.certificate is not None:
            context.load_cert_chain(given.certificate, given.key)
    except OSError as error:  # ssl.SSLError as well
        raise InvalidTlsSettings(
            f"the files of TLS for {given.server} cannot be used ({type(error).__name__})",
            hint="see that ca, certificate and key are PEM files, and go together",
        ) from None
    return context


def _s3(name: str, given: S3, audit: Audit, keys: Sequence[VerifierKey]) -> Way:
    try:
        from strongroom.audit.sinks.bucket import Bucket  # noqa: PLC0415  # boto3 may be missing
        from strongroom.audit.sinks.s3 import S3Sink  # noqa: PLC0415  # the same
    except ImportError:
        raise SinkRefused(
            "a bucket needs a package that is not installed", hint="pip install 'strongroom[aws]'"
        ) from None
    sink = S3Sink(
        Bucket(given.address(audit.origin)),
        audit.log,
        keys,
        retain=timedelta(days=given.retain_days),
        name=name,
        contents=given.contents,
        now=lambda: datetime.now(UTC),
    )
    return Way(name, sink, given.seconds)
