"""Decide whose mailbox it is, and so whether an account may be written."""
