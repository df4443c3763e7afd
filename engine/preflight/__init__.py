"""Check before a wave: rights, identities, links, and the probe of invitations."""
