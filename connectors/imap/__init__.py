"""Read from and write to IMAP servers. The files product_*.py hold what is special about one product."""
