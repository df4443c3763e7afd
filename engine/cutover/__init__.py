"""Cut mailboxes over, with the organisation's hooks."""
