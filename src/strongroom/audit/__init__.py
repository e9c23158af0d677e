"""The audit log: a Merkle log of a public standard, whose entries are commitments to records.

``records/`` is what stands in it. ``tree.py`` hashes and grows the tree, ``tiles.py`` cuts it into files
(C2SP tlog-tiles), ``checkpoint.py`` signs its head (C2SP signed-note, tlog-checkpoint, tlog-cosignature),
``leaf.py`` commits to a record's content, ``proof.py`` proves a record or a history from tiles. All of these
are pure. ``log.py`` keeps a log in a folder, by ``journal.py`` and ``keys.py``. ``verify.py`` stands alone:
it imports nothing of Strongroom, so that an auditor can take that one file to another machine.

docs/spec/audit-log.md is normative for what is written.
"""
