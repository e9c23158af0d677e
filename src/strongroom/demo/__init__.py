"""``strongroom demo``: a database and a gateway of its own, and what each side of it sees."""
