"""Practice events and series."""
