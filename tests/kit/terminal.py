"""Runs a program at a terminal of its own and types the same answer as often as it asks for one.

``python terminal.py ANSWER PROGRAM ARGUMENT...``: what ends in a colon is taken for a question. Everything
that the program says goes to standard output, and its exit status is ours.
"""

import os
import pty
import sys


def main(answer: str, program: str, *arguments: str) -> int:
    """The exit status of the program."""
    pid, terminal = pty.fork()
    if not pid:
        os.execv(program, [program, *arguments])  # noqa: S606  # the program that the test names
    line = b""
    while piece := _said(terminal):
        sys.stdout.buffer.write(piece)
        line = (line + piece).rpartition(b"\n")[2]
        if line.rstrip().endswith(b":"):
            os.write(terminal, answer.encode() + b"\n")
            line = b""
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def _said(terminal: int) -> bytes:
    try:
        return os.read(terminal, 1000)
    except OSError:  # EIO: the program has closed its side (manual page pty(7))
        return b""


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
