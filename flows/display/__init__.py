"""What Prefect shows: artifacts, progress, states and events."""
