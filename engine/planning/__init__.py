"""Plan: the mailbox list, waves, maintenance windows, sizes and estimates."""
