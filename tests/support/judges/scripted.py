"""Let what a connector sends to a scripted server be judged, too. Its answers are not: they are wrong on
purpose, or only as long as a test needs."""

from __future__ import annotations

from collections.abc import Mapping

from servers.faulty.tap import TAPS, Exchanged


def hear(method: str, target: str, headers: Mapping[str, str], body: bytes) -> None:
    """Tell of one request. target: path and query; headers: those that came with it."""
    agent = next((value for name, value in headers.items() if name.lower() == "user-agent"), "")
    for tap in TAPS:
        tap(Exchanged("a script", method, target, agent, body, status=0, content_type="", answer=b""))
