"""What makes Prefect ready: its server, deployments, work pools, automations, workers."""
