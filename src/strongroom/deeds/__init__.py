"""What people and commands do, listed in the state until the audit log has it.

A command is a process of its own, and the audit log has one writer, which may not run just then. So what
was done is appended to a list in the state (`listing`), where the deed is itself a change of the state in the
same transaction; a gateway takes it up from there, within seconds or at its next start. Who acts is a fact of
the process (`present`, `whose`), said once where commands are run. Where the configuration has no ``audit:``,
nothing is listed.
"""
