"""Files as a target: uploads, removal, shares, versions."""
