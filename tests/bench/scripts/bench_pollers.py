"""What idle workers cost a Prefect server: 40 that ask for work as often as real ones, in one process.

    python bench_pollers.py [WORKERS [SECONDS]]

prints CPU seconds of the server, idle and asked, and how many questions it answered or refused.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
import threading
import time
import urllib.error
import urllib.request
from collections import Counter
from collections.abc import Callable
from pathlib import Path

from rehearsal.meter import Meter

from flows.deploy import prefect_server
from flows.deploy.server_login import CLIENT_AUTH_STRING, header

POLL_SECONDS = 15.0
"""How often a worker asks Prefect's server for work, and says that it lives."""
POOL = "bench"


def asked(api: str, path: str, body: object) -> bool:
    """Whether the server did it. It answers 503 while its database is locked."""
    data = json.dumps(body).encode()
    own = {"Content-Type": "application/json"} | header(os.environ[CLIENT_AUTH_STRING])
    request = urllib.request.Request(f"{api}{path}", data, own)
    try:
        with urllib.request.urlopen(request, timeout=60) as answer:
            answer.read()
    except urllib.error.HTTPError as error:
        if error.code != 503:
            raise
        return False
    return True


def poller(api: str, number: int, ends: float, count: Callable[[bool], None], pause: float) -> None:
    time.sleep(pause * number / 40)
    while time.monotonic() < ends:
        count(asked(api, f"/work_pools/{POOL}/workers/heartbeat", {"name": f"worker-{number}"}))
        count(asked(api, f"/work_pools/{POOL}/get_scheduled_flow_runs", {"work_queue_names": []}))
        time.sleep(pause)


def cpu(meter: Meter, pid: int) -> float:
    meter.sample({"prefect": [pid]})
    return sum(meter.seconds().values())


def main(workers: int, seconds: float) -> None:
    state = Path(tempfile.mkdtemp(prefix="kogge-pollers-"))
    server = prefect_server.up(state, 0)
    os.environ[CLIENT_AUTH_STRING] = server.login
    try:
        asked(server.api, "/work_pools/", {"name": POOL, "type": "process"})
        meter, lock = Meter(), threading.Lock()
        found: dict[str, float] = {}
        for name, many, pause in (("idle", 0, 1.0), ("15s", workers, POLL_SECONDS), ("2s", workers, 2.0)):
            answers: Counter[bool] = Counter()
            before, ends = cpu(meter, server.pid), time.monotonic() + seconds

            def count(done: bool, answers: Counter[bool] = answers) -> None:
                with lock:
                    answers[done] += 1

            threads = [
                threading.Thread(target=poller, args=(server.api, number, ends, count, pause))
                for number in range(many)
            ]
            for one in threads:
                one.start()
            time.sleep(seconds)
            for one in threads:
                one.join()
            found[f"{name}-cpu"] = cpu(meter, server.pid) - before
            found[f"{name}-done"], found[f"{name}-refused"] = answers[True], answers[False]
        sys.stdout.write(json.dumps(found) + "\n")
    finally:
        prefect_server.down(state)


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 40, float(sys.argv[2]) if len(sys.argv) > 2 else 30.0)
