"""Getting a database behind Strongroom, and seeing that all still holds: what `init` and `check` do."""
