"""A configuration, and one whose waves run at night."""

from __future__ import annotations

from configurations import imap_sides

TOML = imap_sides()

NIGHTS = (
    TOML
    + """
[windows.nights]
spans = ["mon-fri 20:00-06:00", "sat-sun 00:00-24:00"]
timezone = "Europe/Berlin"
last_start_minutes = 15
"""
)
