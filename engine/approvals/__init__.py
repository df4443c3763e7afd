"""What people must sign or accept before anything is written, and the score of a mailbox."""
