"""Serve a practice Nextcloud for files."""
