"""What a calendar object or a card means, so that two of them can be compared."""
