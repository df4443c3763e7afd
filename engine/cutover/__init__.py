"""The cutover of mailboxes, with its hooks."""
