"""What the tests of a guarded session share: a table with protected columns, and a scripted upstream."""

import json
from dataclasses import replace

from tests.protect.samples import CREATED, Counted, codec, keyset_for
from tests.session.conversation import BOUND, CLOSED, DONE, IDLE, LIMITS, PARSED, split

from strongroom.keys.generate import new_version
from strongroom.keys.model import KeyState
from strongroom.protect.canonical import Sent
from strongroom.protect.plan import ColumnCodec
from strongroom.protect.style import TextStyle
from strongroom.session.guard import Guard
from strongroom.session.guarded import GuardedRelay
from strongroom.session.snapshot import Snapshot
from strongroom.session.statements import Names
from strongroom.sql.schema import Column, Relation, Schema
from strongroom.wire.postgres import messages as m
from strongroom.wire.postgres import types
from strongroom.wire.postgres.codec import HEADER, message
from strongroom.wire.postgres.reader import int32

PEOPLE = Relation(
    16400,
    "public",
    "people",
    "r",
    (
        Column(1, "id", types.INT4, -1),
        Column(2, "email", types.BYTEA, -1),
        Column(3, "pin", types.BYTEA, -1),
        Column(4, "note", types.TEXT, -1),
    ),
)
EMAIL = codec("varchar(20)", "deterministic", column="public.people.email")
PIN = codec("int4", "deterministic", column="public.people.pin")
CODECS = {one.scheme.column: one for one in (EMAIL, PIN)}
SCHEMA = Schema({PEOPLE.oid: PEOPLE})
SNAPSHOT = Snapshot(Schema({}), {name: one.scheme for name, one in CODECS.items()}, {}, CODECS).with_schema(
    SCHEMA
)
ANNA = EMAIL.seal(b"anna", Sent(TextStyle())) or b""
SEVEN = PIN.seal(b"7", Sent(TextStyle())) or b""
PATH = ("pg_catalog", "public")


TAGS = codec("int4[]", column="public.tagged.tags")
TAGGED = Relation(16500, "public", "tagged", "r", (Column(1, "tags", types.BYTEA, -1),))


def tagged() -> Guard:
    """A session's view of a table with a column of arrays."""
    name = TAGS.scheme.column
    empty = Snapshot(Schema({}), {name: TAGS.scheme}, {}, {name: TAGS})
    made = Guard(empty.with_schema(Schema({TAGGED.oid: TAGGED})), Names(), Names())
    made.refreshed(PATH, None)
    return made


def plaintext(schema: Schema = SCHEMA) -> Schema:
    """The catalog while `email` is text still."""
    columns = tuple(
        replace(one, type_oid=types.TEXT) if one.name == "email" else one for one in PEOPLE.columns
    )
    return Schema({**schema.relations, PEOPLE.oid: replace(PEOPLE, columns=columns)})


def rotated(state: KeyState) -> Snapshot:
    """The same protection after `email` got another key, and its first one this state."""
    keyset = keyset_for(EMAIL.scheme)
    first = keyset.primary
    newest = new_version(keyset.algorithm, [first], KeyState.ACTIVE, CREATED)
    keyset = keyset.with_key(newest).with_primary(newest.key_id).with_state(first, state)
    codecs = CODECS | {EMAIL.scheme.column: ColumnCodec(EMAIL.scheme, keyset, Counted())}
    return replace(SNAPSHOT, codecs=codecs).with_schema(SCHEMA)


def data_row(*values: bytes | None) -> bytes:
    """A DataRow."""
    fields = b"".join(int32(-1) if one is None else int32(len(one)) + one for one in values)
    return message(b"D", len(values).to_bytes(2) + fields)


def column(name: str, number: int, type_oid: int, code: int = m.TEXT) -> m.Field:
    """A field of RowDescription as upstream gives it."""
    return m.Field(name, PEOPLE.oid if number else 0, number, type_oid, -1, -1, code)


def described(*fields: m.Field) -> bytes:
    """A RowDescription."""
    return m.RowDescription(fields).serialise()


class Guarded:
    """A guarded relay whose upstream answers the gateway's own questions by itself."""

    def __init__(self, snapshot: Snapshot = SNAPSHOT) -> None:
        self.relay = GuardedRelay(LIMITS, snapshot)
        self.path: tuple[str, ...] = PATH
        self.style: dict[str, str] = {}
        self.questions = 0

    def client(self, octets: bytes) -> tuple[bytes, bytes]:
        """The client sends; return what went upstream but for the gateway's questions, and to the client."""
        self.relay.client(octets)
        return self._taken()

    def upstream(self, octets: bytes) -> tuple[bytes, bytes]:
        """Upstream sends."""
        self.relay.upstream(octets)
        return self._taken()

    def _taken(self) -> tuple[bytes, bytes]:
        up = down = b""
        while self.relay.to_upstream or self.relay.to_client:
            sent, told = b"".join(self.relay.to_upstream), b"".join(self.relay.to_client)
            self.relay.to_upstream.clear()
            self.relay.to_client.clear()
            down += told
            own, rest = self._question(sent)
            up += rest
            if own:
                self.questions += 1
                self.relay.upstream(own)
        return up, down

    def _question(self, sent: bytes) -> tuple[bytes, bytes]:
        """The answer to a question of the gateway's in what was sent, and the rest of that."""
        at = sent.find(b"strongroom own\0")
        if at < 0:
            return b"", sent
        tags = split(sent[at - HEADER :])  # what follows the question is the gateway's own, too
        path, style = (json.dumps(one).encode() for one in ({"path": self.path}, self.style))
        answer = PARSED + BOUND + data_row(path, style) + DONE + CLOSED + CLOSED
        synced = any(tag == "S" for tag, _ in tags)
        return answer + (IDLE if synced else b""), sent[: at - HEADER]
