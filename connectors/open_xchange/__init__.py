"""Use Open-Xchange's HTTP API for what CalDAV and CardDAV do not show or keep."""
