"""What happened: states, checkpoints, findings, events. Everything else is a view of it."""
