"""Map time zones and recurrence rules."""
