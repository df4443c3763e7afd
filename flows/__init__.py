"""What runs, in which order: the Prefect flows, the command line, the configuration."""
