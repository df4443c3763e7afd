"""Make up a population: people, mailboxes, folders, messages."""
