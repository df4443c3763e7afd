"""Define the vocabulary: protocols of connectors, items, capabilities, errors. Imports no other package."""
