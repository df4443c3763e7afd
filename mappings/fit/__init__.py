"""Fit events, tasks and cards to what a target can hold; what that loses is named."""
