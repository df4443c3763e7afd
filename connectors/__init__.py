"""Connect to sources and targets: a folder for each protocol; modules that several need are here."""
