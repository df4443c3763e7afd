"""Commands that decide: approve, approve-settings, accept, phase, retry."""
