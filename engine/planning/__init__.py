"""The mailbox list, waves, hours, sizes and estimates."""
