"""What commands show of the ledger and of packs, as tables and JSON."""
