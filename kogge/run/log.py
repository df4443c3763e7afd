"""`kogge log`: who decided what, and when."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import typer

from engine.config.hints import DEFAULT
from engine.config.load import load
from engine.control.ledger_access import opened_ledger
from kogge.terminal.options import AsJson, ConfigPath, Mailboxes, Wave, chosen, emit, screen
from kogge.terminal.tables import moment, number_cell, table
from model.errors import Misconfigured
from model.plural import many

if TYPE_CHECKING:
    from kogge.terminal.tables import Grid
    from ledger.db.audit_log import Event

FORMS = ("%Y-%m-%d", "%Y-%m-%d %H:%M", "%Y-%m-%dT%H:%M", "%Y-%m-%d %H:%M:%S", "%Y-%m-%dT%H:%M:%S")
HASH = re.compile("[0-9a-f]{32,}")
HASH_SHOWN = 12
DAY_SECONDS = 86_400
SAME_SECONDS = 60
"""So far apart, two moments of one event are one for its reader: signing takes a while."""
ABOUT_NONE = "wave:"
"""Begins the subject of an event that is about a wave."""


def log(
    wave: Annotated[
        str | None, typer.Argument(metavar="WAVE", help="Only this wave, as with --wave.")
    ] = None,
    config: ConfigPath = DEFAULT,
    only: Wave = None,
    mailbox: Mailboxes = None,
    by: Annotated[
        str | None, typer.Option("--by", metavar="NAME", help="Only what somebody of this name decided.")
    ] = None,
    since: Annotated[
        str | None,
        typer.Option(
            "--since", metavar="DATE", help='From this day or moment on, in UTC: "2026-05-01 18:00".'
        ),
    ] = None,
    until: Annotated[
        str | None, typer.Option("--until", metavar="DATE", help="To the end of this day, or to this moment.")
    ] = None,
    everything: Annotated[
        bool,
        typer.Option("--all", help="Show also what Kogge recorded by itself: bindings, inventories, steps."),
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Shows who decided what and when, oldest first: approvals, phases, cutovers, questions, retries.

    Checks the hash chains first: exit code 1 when one was altered. What Kogge recorded by itself is shown
    with --all.

    Example: kogge log --wave pilot --since 2026-05-01
    """
    from ledger.views.decisions import EventFilter, counted, events_of

    settings = load(config)
    name = _one(wave, only)
    asked_since, asked_until = _moment("--since", since), _moment("--until", until, end=True)
    with opened_ledger(settings) as ledger:
        ledger.verify_events()
        if name is not None and not counted(ledger, name):
            chosen(settings, ledger, name, option="--wave" if wave is None else "WAVE")
        boxes = [row.id for row in chosen(settings, ledger, None, mailbox)] if mailbox else []
        wanted = EventFilter(name, boxes, (by or "").strip(), asked_since, asked_until, everything)
        events, all_of_them = events_of(ledger, wanted), counted(ledger, name)
    if as_json:
        emit([_document(event) for event in events])
        return
    out = screen()
    if events:
        out.print(_drawn(events, with_wave=name is None))
    hidden = all_of_them - len(events)
    more = f" of {all_of_them:,} events" + ("" if everything else " (--all)") if hidden else ""
    shown = many(len(events), *(("event", "events") if everything else ("decision", "decisions")))
    out.print(f"{shown}{more}; the chain is intact")


def _one(wave: str | None, only: str | None) -> str | None:
    if wave is not None and only is not None and wave != only:
        raise Misconfigured("--wave", "names another wave than WAVE; give one of them")
    return only if wave is None else wave


def _moment(option: str, text: str | None, *, end: bool = False) -> float | None:
    """Return seconds since 1970 UTC; of a whole day its beginning, or with `end` its end.

    Raises:
        Misconfigured: the text is no time.
    """
    if text is None:
        return None
    for form in FORMS:
        try:
            when = datetime.strptime(text.strip(), form).replace(tzinfo=UTC)
        except ValueError:
            continue
        whole_day = end and form == FORMS[0]
        return when.timestamp() + (DAY_SECONDS if whole_day else 0)
    raise Misconfigured(option, 'is no date; write it as 2026-05-31, or as "2026-05-31 18:00" (UTC)')


def _drawn(events: Sequence[Event], *, with_wave: bool) -> Grid:
    """Return the events as a table, without the columns that none of them fills."""
    columns = ["event", "wave", "when (UTC)", "what", "about", "detail"]
    rows = [_cells(event) for event in events]
    kept = [at for at, name in enumerate(columns) if any(row[at] for row in rows)]
    kept = [at for at in kept if with_wave or columns[at] != "wave"]
    cells = ([row[at] for at in kept] for row in rows)
    return table([columns[at] for at in kept], cells, wrap=("detail",))


def _cells(event: Event) -> list[str]:
    about = "" if (event.subject or "").startswith(ABOUT_NONE) else event.subject or ""
    when = moment(event.moment)
    return [number_cell(event.seq), event.wave, when, event.kind, about, _detail(event)]


def _detail(event: Event) -> str:
    """Return what an event says, without the time that stands next to it."""
    told = {name: _short(value) for name, value in event.detail.items()}
    if _repeats(event.detail.get("at", ""), event.moment):
        del told["at"]
    return ", ".join(f"{name}: {value}" for name, value in told.items())


def _repeats(value: str | int, when: datetime) -> bool:
    """Return True if a value is the time at which its event was recorded, or the second before."""
    try:
        told = datetime.fromisoformat(str(value))
    except ValueError:
        return False
    told = told if told.tzinfo is not None else told.replace(tzinfo=UTC)
    return abs((when - told).total_seconds()) < SAME_SECONDS


def _short(value: str | int) -> str:
    """Return the beginning of a hash, as other commands show it; --json has the whole."""
    text = str(value)
    return f"{text[:HASH_SHOWN]}…" if HASH.fullmatch(text) else text


def _document(event: Event) -> dict[str, object]:
    return {
        "seq": event.seq,
        "wave": event.wave,
        "at": event.moment,
        "kind": event.kind,
        "subject": event.subject,
        "detail": dict(event.detail),
        "hash": event.hash.hex(),
    }
