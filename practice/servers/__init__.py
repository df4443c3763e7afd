"""Real servers on private ports: Dovecot, Cyrus, PostgreSQL, WebDAV."""
