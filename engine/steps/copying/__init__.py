"""Copy what is pending, one batch after the other."""
