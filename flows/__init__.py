"""What Prefect runs: the flows and what a run of them needs. Only this room uses Prefect."""
