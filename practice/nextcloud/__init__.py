"""A practice Nextcloud for files."""
