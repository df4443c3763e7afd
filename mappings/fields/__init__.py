"""Map names, addresses, flags and texts that several kinds of items have."""
