"""The vocabulary: protocols of connectors, items, capabilities, errors. Imports no other room."""
