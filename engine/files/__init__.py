"""Handle names, shares and versions of files."""
