"""The record of all that was done: a SQL database. store.py opens it."""
