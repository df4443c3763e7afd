"""What becomes what: pure functions; no clock, no I/O beyond reading a body, no randomness."""
