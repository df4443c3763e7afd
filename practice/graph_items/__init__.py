"""What the practice Graph server answers about items."""
