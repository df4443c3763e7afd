"""Provide servers to practise on, and people who never lived. No production install has them."""
