"""The database behind a Nextcloud restarts, as measured with 32.0.1 and AppAPI: a layer for dav_proxy.

Most requests are answered 500 or 503 meanwhile. Some of those of an application are 401, because the
application is looked up in the database; those with a person's password never are.
"""

from __future__ import annotations

import random
import threading
from collections import Counter
from dataclasses import dataclass, field

from practice.dav.proxy import Forward, Reply, Request, reply

ANSWERS = (500, 500, 503, 401)


@dataclass
class Restarts:
    """after: requests that are answered before the database goes away. down: requests that it is away for.
    struck: what was answered instead, by status."""

    after: int
    down: int
    seed: int = 0
    struck: Counter[int] = field(default_factory=Counter)
    _seen: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def __call__(self, request: Request, rest: Forward) -> Reply:
        with self._lock:
            self._seen += 1
            away = self.after < self._seen <= self.after + self.down
            status = random.Random(f"{self.seed} {self._seen}").choice(ANSWERS)
            if status == 401 and "ex-app-id" not in request.headers:
                status = 500
            self.struck[status] += away
        return reply(status) if away else rest(request)
