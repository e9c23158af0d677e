"""The conversation between one client and its upstream: events in, effects out; pure."""
