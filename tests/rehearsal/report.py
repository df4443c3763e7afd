"""What a rehearsal says at its end: build/rehearsal.json."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from sqlalchemy import Engine, bindparam, text

from ledger.db.rows import State
from rehearsal.count import Count
from rehearsal.meter import Meter
from rehearsal.place import Place

MB = 1_000_000
OURS = ("batch", "wave", "postgres-ledger")
PREFECTS = ("prefect", "worker", "postgres-prefect")
OTHERS = ("dovecot", "exchange", "postgres")
BEHIND = (State.SKIPPED, State.REJECTED)
FATES = (State.VERIFIED, *BEHIND)

_COUNTED = text(
    "SELECT m.source, count(*) FROM item i JOIN container c ON c.id = i.container JOIN leg l ON l.id = c.leg"
    " JOIN mailbox m ON m.id = l.mailbox WHERE m.source IN :some AND i.state IN :states GROUP BY m.source"
).bindparams(bindparam("some", expanding=True), bindparam("states", expanding=True))
_FATES = text("SELECT count(*) FROM item WHERE state IN :states").bindparams(
    bindparam("states", expanding=True)
)
_SEALED = text("SELECT count(DISTINCT mailbox) FROM leg WHERE state = 'verified'")
_SIZES = text(
    "SELECT datname, pg_database_size(datname) FROM pg_database WHERE datname IN ('ledger', 'prefect')"
)


def left_behind(engine: Engine) -> Callable[[Sequence[str]], Mapping[str, int]]:
    """Items that the ledger says did not move, by address of the source."""

    def ask(addresses: Sequence[str]) -> Mapping[str, int]:
        values = {"some": list(addresses), "states": [state.value for state in BEHIND]}
        with engine.connect() as connection:
            return {str(source): int(number) for source, number in connection.execute(_COUNTED, values)}

    return ask


def report(
    place: Place, engine: Engine, counted: Count, *, load: tuple[float, float, float]
) -> dict[str, Any]:
    """The whole result; `clean` judges it."""
    with engine.connect() as connection:
        values = {"states": [state.value for state in FATES]}
        fates = int(connection.execute(_FATES, values).scalar_one())
        sealed = int(connection.execute(_SEALED).scalar_one())
        sizes = {f"{name}_mb": round(size / MB, 1) for name, size in connection.execute(_SIZES)}
    minutes = place.seconds / 60
    return {
        "size": place.name,
        "seed": place.seed,
        "mailboxes": counted.mailboxes,
        "items": counted.items,
        "found": counted.found,
        "bytes": counted.bytes,
        "lost": counted.lost,
        "duplicated": counted.duplicated,
        "foreign": counted.foreign,
        "left_behind": counted.left_behind,
        "unaccounted": abs(counted.items - fates),
        "sealed": sealed,
        "minutes": round(minutes, 1),
        "mailboxes_per_minute": round(counted.mailboxes / minutes, 1) if minutes else None,
        "kills": dict(place.kills),
        "waves_started_again": place.restarts,
        "cpu_ms_per_mailbox": cpu(place.meter, counted.mailboxes),
        "peak_memory_mb": {role: round(size / MB) for role, size in sorted(place.meter.peak.items())},
        "largest_process_mb": {role: round(size / MB) for role, size in sorted(place.meter.largest.items())},
        "memory_at_the_end_mb": {
            role: round(size / MB) for role, size in sorted(place.meter.memory().items())
        },
        "databases": sizes,
        "load": [round(one, 1) for one in load],
    }


def cpu(meter: Meter, mailboxes: int) -> dict[str, Any]:
    """Milliseconds a mailbox: sums, and each role."""
    seconds = meter.seconds()

    def each(roles: Sequence[str]) -> float:
        return round(sum(seconds.get(role, 0.0) for role in roles) * 1000 / max(1, mailboxes), 1)

    sums = {"ours": each(OURS), "prefect": each(PREFECTS), "dovecot": each(("dovecot",))}
    parts = {role: each((role,)) for role in (*OURS, *PREFECTS, *OTHERS)}
    return {**sums, "exchange": each(("exchange",)), "all": each(sorted(parts)), "parts": parts}


def clean(result: Mapping[str, Any]) -> bool:
    """Nothing lost, nothing twice, nothing without a fate, and every mailbox sealed."""
    wrong = ("lost", "duplicated", "foreign", "unaccounted")
    return not any(result[name] for name in wrong) and result["sealed"] == result["mailboxes"]
