"""Practice mail, good and broken."""
