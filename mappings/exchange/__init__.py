"""Read records of EWS and Graph into one element tree."""
