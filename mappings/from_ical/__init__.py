"""Read calendar objects and cards that a source has in the formats of the RFCs already."""
