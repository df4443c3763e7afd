"""Decide how many legs run, against which servers, how fast, and when they stop."""
