"""Map contacts and distribution lists to vCards (RFC 2426)."""
