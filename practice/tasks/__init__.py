"""Practice tasks, notes and journals."""
