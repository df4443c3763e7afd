"""Contacts and distribution lists as vCards (RFC 2426)."""
