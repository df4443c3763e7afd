"""Map the rights that people have to the folders of others."""
