"""Decide what people must sign or accept before anything is written; score mailboxes."""
