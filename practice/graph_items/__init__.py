"""Answer what the practice Graph is asked about items."""
