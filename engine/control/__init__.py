"""Stop requests, leases, the log of defects, and what to do about every code."""
