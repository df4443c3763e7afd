"""Servers that only tests need: products that are measured and imitated, real ones, and sinks and proxies."""
