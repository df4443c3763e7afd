"""Hold what EWS and Graph share."""
