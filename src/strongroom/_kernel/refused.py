"""What a twin says where it does not do a chunk, so that the caller goes the long way."""


class Refused(Exception):
    """A chunk is not as described: its argument is ``framing``, or ``value`` if one value is not."""
