"""Decide what an earlier worker or verification left behind."""
