"""Write files to a target: uploads, removal, shares, versions."""
