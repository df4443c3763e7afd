"""A practice Radicale, and how layers stand before a practice server that speaks HTTP."""
