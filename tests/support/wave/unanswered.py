"""A configuration whose servers do not answer: for commands that ask the ledger alone."""

from __future__ import annotations

TOML = """\
[approval]
required = 0
[source]
kind = "ews"
url = "http://127.0.0.1:1/EWS/Exchange.asmx"
auth = "basic"
username = "migrator@old.example"
password = { env = "KOGGE_TEST_PASSWORD" }

[target.mail]
kind = "imap"
host = "localhost"
port = 1
security = "none"
password = { env = "KOGGE_TEST_PASSWORD" }

[target.contacts]
kind = "carddav"
url = "http://127.0.0.1:1"
profile = "radicale"
password = { env = "KOGGE_TEST_PASSWORD" }
"""
