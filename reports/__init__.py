"""Pages, exports and charts for people."""
