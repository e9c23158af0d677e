"""People: who they are, how they sign in, what they get for it, and how guessing is slowed."""
