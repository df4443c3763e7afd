"""Read what reports, status and estimates need."""
