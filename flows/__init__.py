"""What Prefect runs: the flows and what a run of them needs. Only this room uses Prefect.

Prefect's own usage data is switched off here, before anything imports Prefect: its import alone would begin
to collect it.
"""

import os

os.environ["DO_NOT_TRACK"] = "1"
os.environ["PREFECT_SERVER_ANALYTICS_ENABLED"] = "false"
