"""Map mail: bytes, headers, digests, Message-IDs."""
