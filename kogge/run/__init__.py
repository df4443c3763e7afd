"""Commands that work on a wave: migrate, verify, retry, status, log, pause, cutover, repair, rollback."""
