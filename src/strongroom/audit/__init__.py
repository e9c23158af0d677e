"""The audit log: a Merkle log of a public standard, whose entries are commitments to records.

``tree.py`` hashes and grows the tree, ``tiles.py`` cuts it into files (C2SP tlog-tiles),
``checkpoint.py`` signs its head (C2SP signed-note, tlog-checkpoint, tlog-cosignature), ``leaf.py``
commits to a record's content, ``proof.py`` proves a record or a history from tiles. All of these are
pure: what is to be written comes out as values, and whoever keeps the log writes it. ``verify.py`` stands
alone: it imports nothing of Strongroom, so that an auditor can take that one file to another machine.

docs/spec/audit-log.md is normative for what is written.
"""
