"""Whose mailbox it is: decides whether an account may be written."""
