"""What every step of a leg works with."""
