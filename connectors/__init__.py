"""How to talk to each system: one module a protocol, one small data file a product."""
