"""The canonical forms, one file per family of types: PostgreSQL's input and output functions over again."""
