"""Serve a practice Graph."""
