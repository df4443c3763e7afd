"""Hold stop requests, leases, the log of defects, and the remedy for every code."""
