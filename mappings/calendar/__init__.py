"""Map events and tasks to iCalendar objects (RFC 5545)."""
