"""A configuration, and one whose waves run at night."""

from __future__ import annotations

TOML = """
[source]
kind = "imap"
host = "127.0.0.1"
username = "x"
password = { env = "X" }
[target.mail]
kind = "imap"
host = "127.0.0.1"
username = "x"
password = { env = "X" }
"""

NIGHTS = (
    TOML
    + """
[windows.nights]
spans = ["mon-fri 20:00-06:00", "sat-sun 00:00-24:00"]
timezone = "Europe/Berlin"
last_start_minutes = 15
"""
)
