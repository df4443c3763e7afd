"""A practice Open-Xchange App Suite with a store of its own, which behaves as App Suite 8.19 was measured."""
