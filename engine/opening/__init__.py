"""Opens both sides of a mailbox, and reads the files that say who is who."""
