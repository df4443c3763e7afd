"""Remove what Kogge wrote and what is unchanged since."""
