"""A made population: people, mailboxes, folders, messages."""
