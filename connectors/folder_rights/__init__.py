"""Rights to folders, given on the servers that hold the folders: a target."""
