"""Walk one leg, from the proof of its accounts to its verification; repair metadata."""
