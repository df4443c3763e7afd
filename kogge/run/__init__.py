"""Commands that work on a wave: migrate, verify, status, failures, pause, cutover, repair, rollback."""
