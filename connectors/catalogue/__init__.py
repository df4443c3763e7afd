"""What connectors there are, and how each is described."""
