"""Verify a migration: compare both sides with the ledger."""
