"""Hold cards, and write them as vCards (RFC 2426, RFC 6350)."""
