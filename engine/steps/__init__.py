"""The steps of a leg: discover, copy, amend, remove, reconcile after a crash."""
