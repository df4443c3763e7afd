"""Move mailboxes, without Prefect and without a terminal; assembly.py builds a leg."""
