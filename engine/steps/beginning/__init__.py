"""See whether a pass may begin: the ledger is not older than what was done, and nobody gets an invitation."""
