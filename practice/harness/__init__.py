"""Provide what practice servers share: TLS, threads, seeded choices."""
