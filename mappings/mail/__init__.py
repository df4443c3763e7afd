"""Mail: bytes, headers, digests, Message-IDs."""
