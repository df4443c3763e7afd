"""Talk to Microsoft Graph: login, batches, rate limits, errors, folders."""
