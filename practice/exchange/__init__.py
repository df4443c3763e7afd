"""Serve a practice Exchange (EWS)."""
