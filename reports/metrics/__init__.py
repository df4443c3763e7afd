"""Metrics of the waves for Prometheus: what they are called, and the page that serves them."""
