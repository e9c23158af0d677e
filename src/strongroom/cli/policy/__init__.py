"""``strongroom policy``: looking at roles before anybody relies on them; one module a command."""

from strongroom.cli.lazily import group

COMMANDS = {
    "check": "strongroom.cli.policy.check:check",
    "test": "strongroom.cli.policy.trial:trial",
    "diff": "strongroom.cli.policy.diff:diff",
    "who": "strongroom.cli.policy.who:who",
    "explain": "strongroom.cli.policy.explain:explain",
}

policy = group(
    COMMANDS,
    help="Who may do what: check roles, test them, compare them.",
    epilog="docs/guides/access.md shows how to write roles.",
)
