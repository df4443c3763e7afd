"""Talk to an IMAP server: log in, send commands, read what it answers."""
