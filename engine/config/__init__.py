"""Describe kogge.toml: its tables, its defaults and its error messages."""
