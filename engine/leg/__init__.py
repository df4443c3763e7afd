"""The walk of one leg, from the proof of its accounts to its verification; repair of metadata."""
