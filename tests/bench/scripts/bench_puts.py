"""The reference: conditional PUTs alone, four at a time; no mapping, no digest, no ledger, nothing looked at.

    python bench_puts.py COLLECTION-URL USER PASSWORD calendar|contacts FILE

prints the seconds it took to send what the records of FILE become. The bodies are made before the clock
starts.
"""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import requests
from bench_records import bodies

from connectors.caldav.put import CONTENT, SUFFIX
from model.kinds import Kind

LANES = 4


class Lane(threading.local):
    """One session a thread: connections are kept where the server keeps them."""

    def __init__(self, user: str, password: str) -> None:
        self.session = requests.Session()
        self.session.auth = (user, password)


def send_all(url: str, lane: Lane, kind: Kind, found: list[bytes]) -> None:
    """Raises requests.HTTPError for anything but a created object."""
    headers = {"If-None-Match": "*", "Content-Type": CONTENT.get(kind, "text/calendar; charset=utf-8")}

    def send(pair: tuple[int, bytes]) -> None:
        number, body = pair
        name = f"{url}{number}{SUFFIX.get(kind, '.ics')}"
        lane.session.put(name, data=body, headers=headers).raise_for_status()

    with ThreadPoolExecutor(LANES) as lanes:
        sent: Iterator[None] = lanes.map(send, enumerate(found))
        list(sent)


if __name__ == "__main__":
    url, user, password, name, file = sys.argv[1:]
    kind = Kind(name)
    made = bodies(Path(file), kind)
    began = time.perf_counter()
    send_all(url, Lane(user, password), kind, made)
    print(time.perf_counter() - began)  # noqa: T201
