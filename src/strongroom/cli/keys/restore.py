"""``strongroom keys restore``: everything that a backup holds, on an empty machine."""

import asyncio
import hashlib
from collections.abc import Iterator

import typer

from strongroom.cli.keys.approving import Approval, Signature, approved, roots_in_words
from strongroom.cli.keys.asking import File, Identity, PassphraseFrom, Shares, key_for, read_file, say
from strongroom.cli.options import Config, Json
from strongroom.cli.output import print_table
from strongroom.config import DEFAULT_FILE, Settings, load
from strongroom.errors import BackupFormatUnknown
from strongroom.gateway.restoring import Came
from strongroom.gateway.restoring import restore as restore_keys
from strongroom.keys import age
from strongroom.keys.approvals import Act
from strongroom.keys.backup import Contents, opened
from strongroom.keys.journal import Journal
from strongroom.keys.kek import tenant_of
from strongroom.keys.model import Keyset
from strongroom.keys.store import refuse_filled
from strongroom.secret import Secret
from strongroom.state import State, open_state


def restore(
    file: File,
    *,
    config: Config = DEFAULT_FILE,
    identity: Identity = None,
    shares: Shares = False,
    passphrase_from: PassphraseFrom = None,
    approval: Approval = None,
    signature: Signature = None,
    json: Json = False,
) -> None:
    """Bring back every key from a backup, into an empty state and under the configured root, old or new.

    What stands beside the data under a root that is lost is put under the new one; if the data is newer than
    the backup, nothing is changed, and what each column needs is said. Interrupted, run it again.

    Examples: strongroom keys restore /media/stick/keys.age · strongroom keys restore keys.age --identity
    id.txt · strongroom keys restore keys.age --shares
    """
    settings = load(config)
    if settings.keys is None:
        raise typer.BadParameter(f"{settings.file} names no root: add keys: root:")
    state = open_state(settings.state)
    try:
        refuse_filled(state.engine)
        content = read_file(file)
        key = key_for(content, identity, shares, passphrase_from)
        contents = opened(content, key)
        if any(tenant_of(kek.name) for kek in contents.keks):
            raise BackupFormatUnknown(
                "this is a backup of one tenant's keys", hint="bring it back with `keys tenants restore`"
            )
        with approved(
            settings, state, _act(settings, contents, content), approval, signature, resumable=True
        ):
            came = asyncio.run(restore_keys(settings, state, contents, str(file.resolve()), _to(key)))
            Journal(state.engine).add("restored", contents.id, made=f"{contents.made:%Y-%m-%d %H:%M}Z")
        _show(settings, state, contents, came, as_json=json)
    finally:
        state.close()


def _act(settings: Settings, contents: Contents, file: bytes) -> Act:
    made, roots = f"{contents.made:%Y-%m-%d %H:%M}Z", roots_in_words(settings)
    digest = hashlib.sha256(file).hexdigest()
    fields = {"backup": contents.id, "made": made, "sha256": digest, "roots": roots}
    return Act("restore", f"restore the backup {contents.id} of {made} under the roots {roots}", fields)


def _to(key: age.Key) -> str:
    return "a passphrase" if isinstance(key, Secret) else "recipients or shares"


def _show(settings: Settings, state: State, contents: Contents, came: Came, *, as_json: bool) -> None:
    print_table(["key", "versions", "newest", "from"], rows_of(came, contents), as_json=as_json)
    tell(came)
    for database in came.replaced:
        say(f"databases.{database}: its key-encryption key is now beside the data under the configured root")
    for name in without_password(settings, state):
        say(f"no password is in a backup of keys: run `strongroom password {name}`")
    say("what was sealed since the backup is not counted: rotate keys that are near a limit")


def tell(came: Came) -> None:
    """What was made on the way, and what did not come."""
    for line in came.said:
        say(line)
    for name in came.left:
        say(f"keyset {name}, out of use, does not open and is left beside the data: old dumps may need it")


def rows_of(came: Came, contents: Contents | None) -> list[dict[str, object]]:
    """A line for each key that came back."""
    kinds: list[tuple[tuple[Keyset, ...], str]] = [
        (came.keks, ""),
        (came.keysets, ""),
        (came.retired, ", out of use"),
    ]
    return [
        {
            "key": one.name,
            "versions": len(one.versions),
            "newest": f"{one.primary:08x}",
            "from": (_source(one, came, contents)) + remark,
        }
        for keysets, remark in kinds
        for one in keysets
    ]


def _source(one: Keyset, came: Came, contents: Contents | None) -> str:
    if contents is None:
        return "beside the data"
    if one.name in came.newer:
        return "beside the data: newer than the backup"
    return f"the backup of {contents.made:%Y-%m-%d}"


def without_password(settings: Settings, state: State) -> Iterator[str]:
    """The accounts that cannot log in yet."""
    for name, account in settings.accounts.items():
        if account.password is None and account.certificate is None and state.verifier(name) is None:
            yield name
