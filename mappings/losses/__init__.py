"""List what may be lost of each kind of item, as tables."""
