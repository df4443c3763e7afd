"""What reports, status and estimates read."""
