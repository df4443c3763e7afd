"""Map files and their versions."""
