"""Fit what was read to what a target can hold; what that loses is named. Each file has one subject."""
