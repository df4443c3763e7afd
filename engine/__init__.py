"""How mailboxes are moved, without Prefect and without a terminal. assembly.py builds a leg."""
