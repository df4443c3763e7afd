"""What the flows of one process share: the legs that run, the parameters, tasks in the background."""
