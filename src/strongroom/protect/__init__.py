"""From a client's value to the sealed value in the database, and back; pure but for drawing nonces."""
