"""Records of Graph as elements of EWS."""
