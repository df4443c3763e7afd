"""Talk HTTP to WebDAV and CalDAV servers, and hold what all HTTP clients share."""
