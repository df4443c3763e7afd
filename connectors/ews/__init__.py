"""Read from Exchange Web Services as a source."""
