"""Sources and targets in memory, for tests."""
