"""Read the inbox rules of Exchange and Graph, and say them in Sieve."""
