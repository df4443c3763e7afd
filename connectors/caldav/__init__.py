"""Calendars, tasks and contacts over CalDAV and CardDAV. product_*.py: habits of products."""
