"""Time zones and recurrence rules."""
