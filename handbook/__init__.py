"""Makes the documentation's site: pages that come from the program, the pages of docs/, and its pictures."""
