"""Serve a practice Radicale, and put layers before a practice server that speaks HTTP."""
