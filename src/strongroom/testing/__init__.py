"""A public test kit: playbooks for conversations, and real servers to run them against."""
