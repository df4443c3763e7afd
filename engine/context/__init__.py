"""Hold what every step of a leg works with."""
