"""What people are asked for: unseen at a terminal, and as a line of standard input otherwise."""

import getpass
import re
import sys
from datetime import timedelta

import typer

from strongroom.secret import Secret

_UNITS = {"m": "minutes", "h": "hours", "d": "days"}


def ask_new_password() -> Secret:
    """A new password: asked for twice, or one line of standard input."""
    first = ask_secret("Password: ")
    if sys.stdin.isatty() and first != ask_secret("Again: "):
        raise typer.BadParameter("the two passwords differ")
    return first


def ask_secret(prompt: str) -> Secret:
    """Something that is not to be seen."""
    line = getpass.getpass(prompt) if sys.stdin.isatty() else sys.stdin.readline().rstrip("\r\n")
    if not line:
        raise typer.BadParameter(f"{prompt.rstrip(': ').lower()}: nothing was given")
    return Secret(line)


def duration(text: str, most: timedelta) -> timedelta:
    """A time such as 30m, 24h or 7d."""
    form = re.fullmatch(r"([1-9][0-9]{0,5})([mhd])", text)
    if form is None:
        raise typer.BadParameter(f"{text!r} is no time such as 30m, 24h or 7d")
    found = timedelta(**{_UNITS[form[2]]: int(form[1])})
    if found > most:
        raise typer.BadParameter(f"{text} is longer than {most.days} days")
    return found
