"""Schema, statements, encoding, the chain of events, leases."""
