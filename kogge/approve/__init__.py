"""Commands that decide: approve, approve-settings, approvals, phase, who."""
