"""What stands in the audit log: a closed set of records, each a frozen dataclass and an event of OCSF.

    layout.py      where in the event each field of a record stands
    shared.py      what most records have: when, by which process, whose session
    sessions.py    statements.py    changes.py    running.py    the records themselves
    codes.py       which class and activity of OCSF each is
    encoding.py    a record -> canonical octets, and back into an event
    lines.py       the same octets faster, for the statements of a plan
    reading.py     octets -> a record, or a refusal
    schema.py      the JSON Schema of them all; records.schema.json is what it makes
    keyed.py       a keyed hash of a parameter, so that who asked for it can be told without it

INVARIANT: no field of a record holds a row's value, a literal, a parameter or what a server says in words
of an error. docs/spec/audit-records.md is normative. Pure: time, sequence and key come in as arguments.
"""
