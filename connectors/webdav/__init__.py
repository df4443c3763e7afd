"""Talk to file servers over WebDAV. The files product_*.py hold what is special about one product."""
