"""Microsoft's own schemas judge what the connectors send and what the practice servers answer."""
