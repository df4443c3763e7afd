"""Practice contacts and distribution lists."""
