"""Record what the source listed, with hashes and wrapped keys: the ground of the evidence."""
