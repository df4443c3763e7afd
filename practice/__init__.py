"""Servers to practise on, and people who never lived. No part of a production install."""
