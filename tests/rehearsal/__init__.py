"""Forty thousand mailboxes, while everything is killed."""
