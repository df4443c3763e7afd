"""What Prefect's UI shows of a wave and of all waves, as markdown and rows.

Pure; counts, codes and random ids alone, and never a line for an item.
"""

from __future__ import annotations

import shlex
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from engine.approvals.score import Score, wave_score
from engine.planning.throughput_estimate import Estimate
from flows.display.advice_commands import actions
from flows.display.advice_list import advice_list
from flows.display.failing_servers import FailingServer
from flows.display.mailbox_rows import pause_phrase, wave_named
from flows.process.parameters import BatchParameters
from ledger.db.rows import NEEDS_PERSON, LegRow, LegState
from ledger.views.server_health import Health
from model.plural import many
from reports.plan_gaps import by_mailbox, is_settled, reason_code
from reports.progress import Snapshot, expected, share, size, verdict


@dataclass(frozen=True, slots=True)
class Seen:
    """Hold what is known of a wave at one moment.

    Attributes:
        rate: items a second, of the last time.
        left: by the plan's estimate, corrected by what was measured; None if nothing is left, or it is not
            known.
        expected: items that the preflight counted; 0 if there was none.
        stopped: mailboxes that need a person, whatever their workloads say.
        paused: since when the wave is paused; None if it is not.
        down: its servers that fail.
    """

    wave: str
    snapshot: Snapshot
    rate: float
    left: Estimate | None
    health: Sequence[Health]
    now: datetime
    expected: int = 0
    stopped: Collection[str] = ()
    paused: datetime | None = None
    down: Sequence[FailingServer] = ()


STANDS_STILL = (
    "The run renews this page. If the time below stands still for minutes, the run's process may have died: "
    "if the run is `Crashed`, `kogge migrate --wave {wave}` goes on where it stopped."
)


def wave_text(seen: Seen, ended: bool = False) -> str:
    """Return the summary of a wave."""
    shot = seen.snapshot
    head = f"## {wave_named(seen.wave, seen.paused)}: {share(shot, seen.expected):.0f} %"
    lines = [head, "", verdict(shot) if ended else _going(seen), ""]
    if seen.stopped:
        needs = many(len(seen.stopped), "mailbox needs", "mailboxes need")
        lines += [
            f"{needs} a person: a cutover stopped, or its row may not run. `kogge status` says which.",
            "",
        ]
    lines += _states(shot)
    lines += _reasons(shot, seen.wave)
    lines += _servers(seen.health)
    if ended:
        lines += ["", f"`kogge report --wave {shlex.quote(seen.wave)}` writes a page of it for people."]
    elif seen.paused is None:
        lines += ["", STANDS_STILL.format(wave=shlex.quote(seen.wave))]
    lines += ["", f"As of {seen.now.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"]
    return "\n".join(lines) + "\n"


def wave_phrase(seen: Seen, ended: bool = False) -> str:
    """Return the state of a wave in the line that its cards show. ended: its run has."""
    shot = seen.snapshot
    if not shot.open:
        left = "all is verified"
    elif seen.paused is not None:
        left = pause_phrase(seen.paused)
    elif ended:
        left = "this run has ended"
    elif seen.left is None:
        left = "nothing is left to copy"
    elif seen.down:
        left = ", ".join(one.named() for one in seen.down)
    elif not seen.rate:
        left = "time left is not known"
    else:
        left = f"about {span(seen.left.seconds)} left"
    person = len({leg.mailbox for leg in shot.open if leg.state in NEEDS_PERSON} | set(seen.stopped))
    needs = f", {many(person, 'mailbox needs', 'mailboxes need')} a person" if person else ""
    at = f"{seen.now.astimezone(UTC):%H:%M} UTC"
    return f"wave {seen.wave}: {share(shot, seen.expected):.0f} %, {left}{needs} ({at})"


def _going(seen: Seen) -> str:
    shot = seen.snapshot
    verified = len(_verified(shot.legs))
    known = max(shot.items, seen.expected)
    counted = f" ({shot.items:,} listed; the rest as `kogge check` counted)" if known > shot.items else ""
    done = (
        f"{shot.done:,} of {known:,} items{counted}, {size(shot.bytes)}; "
        f"{verified:,} of {shot.mailboxes:,} mailboxes are verified."
    )
    return f"{done} {seen.rate:.1f} items a second. {outlook(seen)}"


def outlook(seen: Seen) -> str:
    """Return how long the wave still takes; no time if it is paused, a server fails, or nothing moves."""
    if seen.paused is not None:
        return f"It is {pause_phrase(seen.paused)}."
    if seen.left is not None and seen.down:
        told = " ".join(one.in_words(seen.now) for one in seen.down)
        return f"{told} Until then the time left is not known."
    if seen.left is not None and not seen.rate:
        return "The time left is not known, as nothing was moved lately."
    return remaining(seen.left, seen.now)


def remaining(left: Estimate | None, now: datetime) -> str:
    """Return how long it still takes, and why, if it is not the rate."""
    if left is None:
        return "Nothing is left to copy."
    end = now + timedelta(seconds=left.seconds)
    sides = {"throttle": "source", "target": "target"}
    throttled = f", which the {sides[left.by]}'s own limits decide" if left.by in sides else ""
    return f"About {span(left.seconds)} left, until {end.astimezone(UTC):%a %H:%M} UTC{throttled}."


def span(seconds: float) -> str:
    """Return a length of time for people: minutes below two hours, then hours, then days."""
    if seconds < 90:
        return "a minute"
    if seconds < 7200:
        return f"{seconds / 60:.0f} minutes"
    return f"{seconds / 3600:.0f} hours" if seconds < 172_800 else f"{seconds / 86_400:.1f} days"


def _verified(legs: Iterable[LegRow]) -> set[str]:
    """Return the mailboxes all of whose legs are verified."""
    rows = list(legs)
    return {row.mailbox for row in rows} - {row.mailbox for row in rows if not is_settled(row)}


def _states(shot: Snapshot) -> list[str]:
    rows = [f"| {state} | {count:,} |" for state, count in sorted(shot.states.items())]
    return ["| mailboxes' workloads | |", "|---|---:|", *rows]


def _reasons(shot: Snapshot, wave: str) -> list[str]:
    """Return the blocked and waiting legs by code, and what to do."""
    found: Counter[tuple[LegState, str]] = Counter(
        (leg.state, code)
        for leg in shot.open
        if (code := reason_code(leg)) and leg.state is not LegState.RUNNING
    )
    if not found:
        return []
    rows = [
        f"| {state} | `{code}` | {count:,} |"
        for (state, code), count in sorted(
            found.items(), key=lambda one: (one[0][0] not in NEEDS_PERSON, -one[1])
        )
    ]
    codes: Counter[str] = Counter()
    for (_, code), count in found.items():
        codes[code] += count
    own = {code: sorted({leg.mailbox for leg in shot.open if reason_code(leg) == code}) for code in codes}
    asked = {code: actions(code, found, wave) for code, found in own.items()}
    todo = advice_list(codes, "workload", "workloads", asked)
    return ["", "### What is open, and why", "", "| | code | |", "|---|---|---:|", *rows, *todo]


def _servers(health: Sequence[Health]) -> list[str]:
    """Return how fast each server is used; its slowest worker's pace decides."""
    if not health:
        return []
    rows = []
    for system in sorted({one.system for one in health}):
        own = [one for one in health if one.system == system]
        calls, errors = sum(one.calls for one in own), sum(one.errors for one in own)
        latency = sum(one.latency * one.calls for one in own) / calls if calls else 0.0
        pace = min(one.pace for one in own)
        how = "halted" if pace == 0 else "slowed down" if pace < 1 else "full speed"
        rows.append(f"| {system} | {how} ({pace:.0%}) | {errors:,} of {calls:,} | {latency * 1000:,.0f} ms |")
    return ["", "### Servers", "", "| | pace | errors | latency |", "|---|---|---:|---:|", *rows]


def batch_rows(
    shards: Sequence[BatchParameters], shot: Snapshot, checked: Mapping[str, int]
) -> list[dict[str, str | int]]:
    """Return a row for each batch.

    Args:
        shards: the batches.
        shot: the legs.
        checked: items that `kogge check` counted, by mailbox.
    """
    own = by_mailbox(shot.legs)
    return [
        _batch_row(one, [leg for mailbox in one.mailboxes for leg in own.get(mailbox, [])], checked)
        for one in shards
    ]


def _batch_row(
    shard: BatchParameters, legs: Sequence[LegRow], checked: Mapping[str, int]
) -> dict[str, str | int]:
    own, known = Snapshot(tuple(legs)), expected(legs, checked)
    codes = Counter(code for leg in own.open if (code := reason_code(leg)))
    return {
        "batch": f"{shard.number} of {shard.of}",
        "%": round(share(own, known)),
        "verified": f"{len(_verified(legs)):,} of {own.mailboxes:,}",
        "running": own.states[LegState.RUNNING],
        "blocked": own.states[LegState.BLOCKED],
        "waiting": own.states[LegState.WAITING],
        "codes": ", ".join(f"{code} ({count})" for code, count in codes.most_common(3)),
        "items": f"{own.done:,} of {known:,}",
    }


def score_rows(found: Mapping[str, Score], mailboxes: int) -> list[dict[str, str | int]]:
    """Return how many of the `mailboxes` have each score, the best first."""
    counts = wave_score(found).distribution
    rows: list[dict[str, str | int]] = [
        {"score": str(rating), "mailboxes": count} for rating, count in counts.items()
    ]
    return [*rows, {"score": "not verified", "mailboxes": mailboxes - len(found)}]
