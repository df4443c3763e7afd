"""Follow what the source changed and deleted since it was copied."""
