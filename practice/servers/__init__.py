"""Real servers on private ports: Dovecot, pymap; and people who work at a target meanwhile."""
