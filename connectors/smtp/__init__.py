"""Hand mails to the organisation's own mail server."""
