"""Plans, approvals, waves, pinned settings."""
