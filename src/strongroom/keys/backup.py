"""A backup of the keys: one JSON document with all that the state knows of them, and one age file around it.

The keysets stand in it as ``document.py`` writes them, so that each opens its values with stock Tink; what
goes with them (uses, sealed columns, custody, the register of backups) comes back by ``restore.py``. KEKs and
keysets are in the clear within the file: it needs no root. Its format is normative: docs/spec/keys.md,
"Backups". Called by the key commands.
"""

import json
import secrets
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import Engine

from strongroom.errors import BackupDamaged, BackupFormatUnknown, BackupNotWritten, InvalidKeyset, KekMissing
from strongroom.keys import age, document
from strongroom.keys.backups import Backup, Backups, Held, held
from strongroom.keys.custody import Custody, noted
from strongroom.keys.holds import Hold, Holds
from strongroom.keys.journal import Journal, KeyEvent
from strongroom.keys.kek import Keks, WrappedKeyset, kek_name, tenant_of
from strongroom.keys.model import ExportCapability, Keyset
from strongroom.keys.new_file import write_new
from strongroom.keys.sealed import SealedColumn, sealed_columns
from strongroom.keys.store import KeyStore, kept_keks, kept_keysets, kept_retired

FORMAT = "strongroom key backup 1"


@dataclass(frozen=True, slots=True)
class Contents:
    """What a backup holds."""

    id: str
    made: datetime
    keks: tuple[Keyset, ...]
    keysets: tuple[Keyset, ...]
    retired: tuple[Keyset, ...]
    """Of columns that were unprotected: older backups of the database need them."""
    uses: Mapping[tuple[str, int], int]
    sealed: tuple[SealedColumn, ...]
    custody: tuple[Custody, ...]
    backups: tuple[Backup, ...]
    """Those made before."""
    events: tuple[KeyEvent, ...]
    """What was done to keys."""
    legal_holds: tuple[Hold, ...] = ()

    @property
    def holds(self) -> Mapping[str, Held]:
        """What the register notes of it; of a retired keyset that is in use again, the one in use."""
        return {one.name: held(one) for one in (*self.retired, *self.keysets, *self.keks)}

    def kek(self, database: str) -> Keyset | None:
        """The KEK of a database."""
        return next((kek for kek in self.keks if kek.name == kek_name(database)), None)


def contents(engine: Engine, keks: Keks, made: datetime) -> Contents:
    """All that a state knows of its keys; raises ``KekMissing`` where one of them cannot be opened.

    But for those of tenants, which must be destroyed in backups too: they have backups of their own.
    """
    keks = Keks.of(kek for name, kek in keks.by_name.items() if tenant_of(name) is None)
    store = KeyStore(engine, keks)
    kept, retired = _of_databases(kept_keysets(engine)), _of_databases(kept_retired(engine))
    strange = [one.name for one in (*kept, *retired) if not keks.has(one.name)]
    if strange or {name for name in kept_keks(engine) if tenant_of(name) is None} - keks.by_name.keys():
        raise KekMissing(
            f"the state holds keys that none of the roots opens: {', '.join(strange) or 'a KEK'}",
            hint="a backup without them would not bring everything back: configure their root",
        )
    return Contents(
        id=secrets.token_hex(8),
        made=made,
        keks=tuple(keks.by_name.values()),
        keysets=tuple(store.load().values()),
        retired=tuple(keks.unwrap(one) for one in retired),
        uses={key: count for key, count in store.uses().items() if tenant_of(key[0]) is None},
        sealed=tuple(sealed_columns(engine)),
        custody=tuple(noted(engine)),
        backups=tuple(Backups(engine).all()),
        events=tuple(Journal(engine).events()),
        legal_holds=tuple(Holds(engine).all()),
    )


def _of_databases(kept: Iterable[WrappedKeyset]) -> list[WrappedKeyset]:
    return [one for one in kept if tenant_of(one.name) is None]


def make(engine: Engine, what: Contents, path: Path, to: age.To) -> age.Encrypted:
    """Writes the file, verified by reading it back, and registers it; returns it with its shares.

    The caller has refused a bad place. Raises a ``BackupError``; then there is no file and no entry.
    """
    capability = ExportCapability("to be encrypted to a backup's recipients")
    written = danger_written(what, capability)
    encrypted = age.encrypt(written, to)
    register = Backups(engine)

    def verify(back: bytes) -> None:
        if age.decrypt(back, encrypted.key) != written:
            raise BackupNotWritten(f"{path}: what was read back is not what was written")
        read(written)
        register.register(Backup(what.id, what.made, str(path.resolve()), encrypted.to, what.holds))

    try:
        write_new(path, encrypted.content, verify)
    except BaseException:
        register.withdraw(what.id)
        raise
    return encrypted


def opened(content: bytes, key: age.Key) -> Contents:
    """What an age file holds; raises a ``BackupError``."""
    return read(age.decrypt(content, key))


# ----------------------------------------------------------------------------------------------- the document


def danger_written(what: Contents, capability: ExportCapability) -> bytes:
    """The document, with all key material in the clear."""
    written = {
        "format": FORMAT,
        "id": what.id,
        "made": what.made.isoformat(),
        "keks": _documents(what.keks, capability),
        "keysets": _documents(what.keysets, capability),
        "retired": _documents(what.retired, capability),
        "uses": [
            {"keyset": name, "keyId": key_id, "count": count}
            for (name, key_id), count in sorted(what.uses.items())
        ],
        "sealedColumns": [
            {"database": one.database, "column": one.name, "released": one.released} for one in what.sealed
        ],
        "custody": [
            {
                "name": one.name,
                "keeper": one.keeper,
                "backupKeeper": one.backup_keeper,
                "everyDays": None if one.every is None else one.every.days,
                "since": one.since.isoformat(),
                "tested": _written_time(one.tested),
            }
            for one in what.custody
        ],
        "backups": [
            {
                "id": one.id,
                "made": one.made.isoformat(),
                "place": one.place,
                "to": one.to,
                "holds": {
                    name: {"revision": has.revision, "keyIds": sorted(has.key_ids)}
                    for name, has in one.holds.items()
                },
                "drilled": _written_time(one.drilled),
                "forgotten": _written_time(one.forgotten),
            }
            for one in what.backups
        ],
        "events": [
            {
                "number": one.number,
                "at": one.at.isoformat(),
                "what": one.what,
                "subject": one.subject,
                "details": dict(one.details),
            }
            for one in what.events
        ],
        "legalHolds": [_written_hold(one) for one in what.legal_holds],
    }
    return json.dumps(written, indent=1, ensure_ascii=False).encode()


def read(written: bytes) -> Contents:
    """The document again; raises ``BackupFormatUnknown`` or ``BackupDamaged``."""
    try:
        found = json.loads(written)
        if found["format"] == FORMAT:
            return _read(found)
        format_ = str(found["format"])
    except (KeyError, TypeError, ValueError, AttributeError, RecursionError):
        raise BackupDamaged("the file opens, and holds no backup of keys that Strongroom wrote") from None
    except InvalidKeyset as error:
        raise BackupDamaged(f"the backup holds a keyset that is none: {error.message}") from None
    known = format_.startswith(FORMAT.rpartition(" ")[0])
    raise BackupFormatUnknown(
        "the backup is in a format of another version" if known else "the file opens, and is no backup",
        hint=f"this version reads: {FORMAT}",
    )


def _read(found: Mapping[str, Any]) -> Contents:
    return Contents(
        id=str(found["id"]),
        made=_time(found["made"]),
        keks=_keysets(found["keks"]),
        keysets=_keysets(found["keysets"]),
        retired=_keysets(found["retired"]),
        uses={(str(one["keyset"]), int(one["keyId"])): int(one["count"]) for one in found["uses"]},
        sealed=tuple(
            SealedColumn(str(one["database"]), str(one["column"]), bool(one["released"]))
            for one in found["sealedColumns"]
        ),
        custody=tuple(_custody(one) for one in found["custody"]),
        backups=tuple(_backup(one) for one in found["backups"]),
        events=tuple(_event(one) for one in found["events"]),
        legal_holds=tuple(_hold(one) for one in found.get("legalHolds", ())),  # not in those made before it
    )


def _documents(keysets: Iterable[Keyset], capability: ExportCapability) -> list[Any]:
    return [json.loads(document.danger_written(keyset, capability)) for keyset in keysets]


def _keysets(found: Iterable[Mapping[str, Any]]) -> tuple[Keyset, ...]:
    return tuple(document.read(json.dumps(one).encode()) for one in found)


def _custody(found: Mapping[str, Any]) -> Custody:
    every = found["everyDays"]
    return Custody(
        str(found["name"]),
        str(found["keeper"]),
        str(found["backupKeeper"]),
        None if every is None else timedelta(days=int(every)),
        _time(found["since"]),
        _optional_time(found["tested"]),
    )


def _backup(found: Mapping[str, Any]) -> Backup:
    holds = {
        str(name): Held(int(has["revision"]), frozenset(int(one) for one in has["keyIds"]))
        for name, has in found["holds"].items()
    }
    drilled, forgotten = _optional_time(found["drilled"]), _optional_time(found["forgotten"])
    place, to = str(found["place"]), str(found["to"])
    return Backup(str(found["id"]), _time(found["made"]), place, to, holds, drilled, forgotten)


def _event(found: Mapping[str, Any]) -> KeyEvent:
    what, subject = str(found["what"]), str(found["subject"])
    return KeyEvent(int(found["number"]), _time(found["at"]), what, subject, dict(found["details"]))


def _written_hold(one: Hold) -> dict[str, object]:
    return {
        "id": one.id,
        "name": one.name,
        "version": one.version,
        "reason": one.reason,
        "since": one.since.isoformat(),
        "until": None if one.until is None else one.until.isoformat(),
        "released": _written_time(one.released),
        "releasedFor": one.released_for,
    }


def _hold(found: Mapping[str, Any]) -> Hold:
    version, until, released_for = found["version"], found["until"], found["releasedFor"]
    return Hold(
        str(found["id"]),
        str(found["name"]),
        None if version is None else int(version),
        str(found["reason"]),
        _time(found["since"]),
        None if until is None else date.fromisoformat(until),
        _optional_time(found["released"]),
        None if released_for is None else str(released_for),
    )


def _time(found: str) -> datetime:
    return datetime.fromisoformat(found).astimezone(UTC)


def _optional_time(found: str | None) -> datetime | None:
    return None if found is None else _time(found)


def _written_time(at: datetime | None) -> str | None:
    return None if at is None else at.isoformat()
