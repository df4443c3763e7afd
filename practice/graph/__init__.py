"""A practice Graph server."""
