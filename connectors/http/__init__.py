"""The conversation with WebDAV and CalDAV servers over HTTP, and what all HTTP clients share."""
