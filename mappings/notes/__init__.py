"""Map notes."""
