"""Packs, seals, proofs, and the verifier in one file."""
