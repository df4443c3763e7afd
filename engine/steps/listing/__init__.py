"""Find what the source has now, and which of it the target has already."""
