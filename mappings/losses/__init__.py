"""What may be lost of each kind of item, as tables."""
