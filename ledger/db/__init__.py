"""Hold the ledger's schema, statements, encoding, chain of events and leases."""
