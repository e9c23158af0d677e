"""Bytes to protocol messages and back; pure."""
