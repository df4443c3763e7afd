"""The client of file servers over WebDAV. product_*.py: habits of products."""
