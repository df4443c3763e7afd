"""Hold events, tasks and alarms as RFC 5545 has them: what every source is read into."""
