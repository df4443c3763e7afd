"""What practice servers share: faults, TLS, threads, seeded choices."""
