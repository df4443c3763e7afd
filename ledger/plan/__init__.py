"""Hold plans, approvals, waves and pinned settings."""
