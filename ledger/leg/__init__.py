"""What one leg's worker reads and writes under its fence."""
