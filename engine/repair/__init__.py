"""Puts dates, flags and folders right in place: one leg, and many."""
