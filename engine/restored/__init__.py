"""Notice that a target, or the ledger, was put back to an earlier state."""
