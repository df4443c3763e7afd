"""Pure functions from what a source has to what a target gets. No clock, no network, no files."""
