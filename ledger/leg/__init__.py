"""Read and write what one leg's worker needs, under its fence."""
