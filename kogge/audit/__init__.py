"""Commands for auditors: audit, report, score."""
