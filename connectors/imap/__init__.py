"""IMAP, as source and target. product_*.py: habits of products."""
