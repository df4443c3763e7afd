"""Rules of a mailbox as a script in Sieve, kept on a server by ManageSieve: a target."""
