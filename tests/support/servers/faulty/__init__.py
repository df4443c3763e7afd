"""Practice servers that go wrong on purpose, by a plan."""
