"""Exchange Web Services, as a source."""
