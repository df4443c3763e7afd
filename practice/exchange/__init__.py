"""A practice Exchange server (EWS)."""
