"""All commands in one place; only those that work are registered."""

from strongroom.cli.lazily import group

COMMANDS = {
    "approve": "strongroom.cli.grants:approve",
    "audit": "strongroom.cli.audit:audit",
    "break-glass": "strongroom.cli.grants:break_glass",
    "check": "strongroom.cli.check:check",
    "demo": "strongroom.cli.demo:demo",
    "deny": "strongroom.cli.grants:deny",
    "explain": "strongroom.cli.explain:explain",
    "grant": "strongroom.cli.grants:grant",
    "grants": "strongroom.cli.grants:list_grants",
    "init": "strongroom.cli.init:init",
    "keys": "strongroom.cli.keys:keys",
    "login": "strongroom.cli.login:login",
    "password": "strongroom.cli.password:password",
    "people": "strongroom.cli.people:people",
    "policy": "strongroom.cli.policy:policy",
    "protect": "strongroom.cli.protect:protect",
    "protection": "strongroom.cli.protection:protection",
    "unprotect": "strongroom.cli.protect:unprotect",
    "request": "strongroom.cli.grants:request",
    "revoke": "strongroom.cli.grants:revoke",
    "serve": "strongroom.cli.serve:serve",
    "version": "strongroom.cli.version:version",
}

app = group(
    COMMANDS,
    help="A data security layer for SQL databases that live in somebody else's cloud.",
    epilog="Exit status: 0 well, 1 the thing checked does not hold, 2 wrong use or configuration.",
    pretty_exceptions_enable=False,  # a pretty trace shows local variables, which may be values
    context_settings={"help_option_names": ["-h", "--help"]},
)
