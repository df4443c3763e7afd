"""Practice CalDAV servers: Radicale with habits of products before it."""
