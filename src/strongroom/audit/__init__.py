"""The audit log; ``records/`` is what stands in it."""
