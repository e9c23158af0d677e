"""Where a file that opens or holds keys must not lie: beside the state, or in a git work tree (rule 7).

A backup of the state's folder, or a push of the tree, would carry it along. Called by ``root/file.py`` and
``new_file.py``.
"""

from pathlib import Path


def carried_along_by(path: Path, state_folder: Path | None) -> str | None:
    """What would copy the file along with other things, in words; None where nothing would."""
    where = path.resolve()  # a link from a good place into a bad one helps nothing
    if state_folder is not None and state_folder.resolve() in where.parents:
        return "in the folder of the state, whose backup would carry it along"
    for parent in where.parents:
        if (parent / ".git").exists():
            return f"in the git work tree {parent}"
    return None
