"""The steps of a leg, in the order of its walk: beginning, settling, listing, copying, following."""
