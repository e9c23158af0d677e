"""``strongroom audit schema``: the JSON Schema of the log's records, for what reads them elsewhere."""

from strongroom.audit.records.schema import written


def schema() -> None:
    """Print the JSON Schema of all records.

    Example: strongroom audit schema > audit-records.schema.json
    """
    print(written(), end="")
