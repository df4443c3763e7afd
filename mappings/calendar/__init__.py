"""Events and tasks as iCalendar objects (RFC 5545)."""
