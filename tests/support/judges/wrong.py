"""What a judge found, in words: of which exchange, on which side, and what it is."""

from __future__ import annotations

from collections.abc import Iterable

from servers.faulty.tap import Exchanged

OURS = "Kogge"
"""What the connectors call themselves: what other clients send may be sent to be refused."""
SHOWN = 300


def is_ours(exchanged: Exchanged) -> bool:
    return OURS in exchanged.agent


def told(exchanged: Exchanged, side: str, found: Iterable[str], asked: str = "") -> list[str]:
    """One line for each finding. asked: what was asked for, if the address does not tell."""
    where = f"{exchanged.method} {exchanged.target}"
    request = f"{where} {asked}"[:SHOWN]
    return [f"{exchanged.server}, {side}: {one}\n    {request}" for one in dict.fromkeys(found)]
