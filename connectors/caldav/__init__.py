"""Write calendars, tasks and contacts over CalDAV and CardDAV; product_*.py describe one product each."""
