"""Read Microsoft 365 over Graph as a source."""
