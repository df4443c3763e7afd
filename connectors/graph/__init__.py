"""Read Microsoft 365 over Graph as a source: mail, events, contacts, tasks, and files by graph_drives."""
