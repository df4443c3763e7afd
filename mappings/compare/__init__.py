"""Read the meaning of a calendar object or a card, so that two of them can be compared."""
