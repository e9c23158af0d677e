"""Roles that people have for a time: asked for, agreed to by others, taken in an emergency, taken back."""
