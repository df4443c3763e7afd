"""What a rehearsal says at its end: build/rehearsal.json."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from sqlalchemy import Engine, bindparam, text

from flows.deploy.unbegun_waves import AGAIN
from ledger.db.rows import State
from rehearsal.count import Count
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

_RUNS = text(
    "SELECT r.parameters #>> '{parameters,wave}', coalesce(r.idempotency_key, '') LIKE :again, count(*)"
    " FROM flow_run r JOIN flow f ON f.id = r.flow_id WHERE f.name = 'wave' GROUP BY 1, 2"
)
SECONDS = "seconds"
"""By the clock, beside the CPU seconds by role."""


def left_behind(engine: Engine) -> Callable[[Sequence[str]], Mapping[str, int]]:
    """Items that the ledger says did not move, by address of the source."""

    def ask(addresses: Sequence[str]) -> Mapping[str, int]:
        values = {"some": list(addresses), "states": [state.value for state in BEHIND]}
        with engine.connect() as connection:
            return {str(source): int(number) for source, number in connection.execute(_COUNTED, values)}

    return ask


def report(
    place: Place, engine: Engine, prefect: Engine, counted: Count, *, load: tuple[float, float, float]
) -> dict[str, Any]:
    """The whole result; `clean` judges it.

    engine, prefect: of the ledger's database, and of Prefect's.
    """
    with engine.connect() as connection:
        values = {"states": [state.value for state in FATES]}
        fates = int(connection.execute(_FATES, values).scalar_one())
        sealed = int(connection.execute(_SEALED).scalar_one())
        sizes = {f"{name}_mb": round(size / MB, 1) for name, size in connection.execute(_SIZES)}
    first = place.first or {**place.meter.seconds(), SECONDS: place.seconds}
    night = {"second_night": passed(place.night, counted.mailboxes)} if place.night else {}
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
        "kills": dict(place.kills),
        **wave_runs(prefect, place.begun),
        "waves_unfinished": sorted(place.unfinished),
        **passed(first, counted.mailboxes),
        **night,
        "peak_memory_mb": {role: round(size / MB) for role, size in sorted(place.meter.peak.items())},
        "largest_process_mb": {role: round(size / MB) for role, size in sorted(place.meter.largest.items())},
        "memory_at_the_end_mb": {
            role: round(size / MB) for role, size in sorted(place.meter.memory().items())
        },
        "databases": sizes,
        "load": [round(one, 1) for one in load],
    }


def wave_runs(prefect: Engine, begun: Counter[str]) -> dict[str, int]:
    """Who began the runs of waves, and commands that ended before Prefect had a run of theirs."""
    with prefect.connect() as connection:
        rows = connection.execute(_RUNS, {"again": f"{AGAIN}%"}).all()
    runs = Counter({wave: count for wave, again, count in rows if not again})
    return {
        "waves_started_again": (runs - begun).total(),
        "waves_begun_again_by_kogge": sum(count for _, again, count in rows if again),
        "commands_without_a_run": (begun - runs).total(),
    }


def passed(cost: Mapping[str, float], mailboxes: int) -> dict[str, Any]:
    """What a pass over all mailboxes took. cost: CPU seconds by role, and the seconds by the clock."""
    minutes = cost[SECONDS] / 60
    return {
        "minutes": round(minutes, 1),
        "mailboxes_per_minute": round(mailboxes / minutes, 1) if minutes else None,
        "cpu_ms_per_mailbox": cpu(cost, mailboxes),
    }


def cpu(seconds: Mapping[str, float], mailboxes: int) -> dict[str, Any]:
    """Milliseconds a mailbox: sums, and each role. all_in: without the practice Exchange."""

    def each(roles: Sequence[str]) -> float:
        return round(sum(seconds.get(role, 0.0) for role in roles) * 1000 / max(1, mailboxes), 1)

    sums = {"ours": each(OURS), "prefect": each(PREFECTS), "dovecot": each(("dovecot",))}
    parts = {role: each((role,)) for role in (*OURS, *PREFECTS, *OTHERS)}
    real = each([role for role in parts if role != "exchange"])
    every = {"exchange": each(("exchange",)), "all_in": real, "all": each(sorted(parts))}
    return {**sums, **every, "parts": parts}


def clean(result: Mapping[str, Any]) -> bool:
    """Nothing lost, nothing twice, nothing without a fate, every mailbox sealed, and no hand in it."""
    wrong = ("lost", "duplicated", "foreign", "unaccounted")
    hands = ("waves_started_again", "commands_without_a_run", "waves_unfinished")
    return not any(result[name] for name in (*wrong, *hands)) and result["sealed"] == result["mailboxes"]
