"""Mail, events, contacts and tasks of Graph."""
