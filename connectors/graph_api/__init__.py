"""The client of Graph: sign-in, batches, rate limits, errors, folders."""
