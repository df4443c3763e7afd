"""What is looked at before a wave: rights, identities, links, the probe of invitations."""
