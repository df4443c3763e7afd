"""Show as tables and JSON what the ledger and packs hold."""
