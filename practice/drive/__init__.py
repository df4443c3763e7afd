"""Practice drives."""
