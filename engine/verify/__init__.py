"""Verification: both sides are compared with the ledger."""
