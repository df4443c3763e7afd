"""Names, shares and versions of files."""
