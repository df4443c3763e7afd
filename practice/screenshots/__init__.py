"""Take the pictures of the documentation from a practice world: `make screenshots`."""
