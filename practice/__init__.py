"""Servers to practise on: a simulated Exchange, and embedded targets. For the demo and the tests only."""
