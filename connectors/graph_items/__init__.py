"""Read mail, events, contacts and tasks over Graph."""
