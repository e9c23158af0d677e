"""All commands in one place; only those that work are registered."""

import typer

from strongroom.cli import check, demo, explain, init, password, protect, serve, version
from strongroom.cli.keys import keys

app = typer.Typer(
    help="A data security layer for SQL databases that live in somebody else's cloud.",
    epilog="Exit status: 0 well, 1 the thing checked does not hold, 2 wrong use or configuration.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,  # a pretty trace shows local variables, which may be values
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command()(check.check)
app.command()(demo.demo)
app.command()(explain.explain)
app.command()(init.init)
app.add_typer(keys, name="keys")
app.command()(password.password)
app.command()(protect.protect)
app.command()(protect.unprotect)
app.command()(serve.serve)
app.command()(version.version)
