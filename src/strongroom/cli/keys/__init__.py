"""``strongroom keys``: looking at keys, and what is done to them; one module a command."""

from strongroom.cli.lazily import group

COMMANDS = {
    "list": "strongroom.cli.keys.listing:list_keys",
    "show": "strongroom.cli.keys.listing:show",
    "rotate": "strongroom.cli.keys.rotate:rotate",
    "compromise": "strongroom.cli.keys.states:compromise",
    "suspend": "strongroom.cli.keys.states:suspend",
    "activate": "strongroom.cli.keys.states:activate",
    "deactivate": "strongroom.cli.keys.states:deactivate",
    "floor": "strongroom.cli.keys.states:floor",
    "destroy": "strongroom.cli.keys.destroy:destroy",
    "hold": "strongroom.cli.keys.holds:hold",
    "release": "strongroom.cli.keys.holds:release",
    "holds": "strongroom.cli.keys.holds:holds",
    "events": "strongroom.cli.keys.events:events",
    "backup": "strongroom.cli.keys.backup:backup",
    "backups": "strongroom.cli.keys.backup:backups",
    "restore": "strongroom.cli.keys.restore:restore",
    "recover": "strongroom.cli.keys.recover:recover",
    "drill": "strongroom.cli.keys.drill:drill",
    "custody": "strongroom.cli.keys.custody:custody",
    "rollbacks": "strongroom.cli.keys.rollbacks:show_rollbacks",
    "import": "strongroom.cli.keys.transfer:import_key",
    "export": "strongroom.cli.keys.transfer:export",
    "root": "strongroom.cli.keys.root:root",
    "tenants": "strongroom.cli.keys.tenants:tenants",
    "approvals": "strongroom.cli.keys.approvals:approvals",
}

keys = group(
    COMMANDS,
    help="The keys of protected columns: look at them, rotate them, keep them.",
    epilog="docs/guides/keys.md walks through a change of root, a suspected leak and a lost machine.",
)
