"""Takes back what Kogge wrote and nobody changed since."""
