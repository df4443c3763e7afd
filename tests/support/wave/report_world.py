"""A ledger with a wave of twelve mailboxes of which no two went the same way, written row by row: what a
report tells of it is known to the item. What a person could be known by begins with a word of PRIVATE."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from math import sin
from typing import Any

from sqlalchemy import Table, delete, insert, select, update

from ledger.db.audit_log import append_event
from ledger.db.encoding import pack_id
from ledger.db.rows import LegState, Outcome, Phase, State
from ledger.db.schema import checked, container, finding, item, leg, loss, mailbox, pulse, seal
from ledger.plan.mailboxes import PlannedMailbox
from ledger.store import Ledger
from model.kinds import Kind

PRIVATE = ("Zaphod", "zaphod", "Geheim", "geheim")
WAVE = "pilot"
BEGAN = 1_764_144_000 - 36_000
"""2025-11-25 22:00 UTC"""
HOUR = 3600
KINDS = (Kind.MAIL, Kind.CALENDAR, Kind.CONTACTS, Kind.FILES)
Lost = tuple[str, str]


@dataclass(frozen=True)
class Leg:
    """counts: items per (state, code). losses: (field, reason) of that many arrived items each, the first
    ones of them. folders: losses of its folder. omitted: items in folders that do not move."""

    counts: Mapping[tuple[State, str | None], int]
    losses: Mapping[Lost, int] = field(default_factory=dict)
    folders: Sequence[Lost] = ()
    omitted: Mapping[str, int] = field(default_factory=dict)
    state: LegState = LegState.VERIFIED
    code: str | None = None
    level: str | None = "directory"
    findings: Mapping[tuple[Outcome, str], int] = field(default_factory=dict)


def whole(items: int, **more: Any) -> Leg:
    return Leg({(State.VERIFIED, None): items}, **more)


def some(items: int, others: Mapping[tuple[State, str | None], int], **more: Any) -> Leg:
    return Leg({(State.VERIFIED, None): items, **others}, **more)


def legs_of(number: int, scale: int) -> dict[Kind, Leg]:
    """What became of the mailbox of this number, by workload."""
    mail, dates, cards, files = (part * scale for part in (120, 40, 30, 60))
    plain = dict(zip(KINDS, map(whole, (mail, dates, cards, files)), strict=True))
    return plain | ODD.get(number, _nothing)(mail, dates, cards, files)


def _nothing(*_sizes: int) -> dict[Kind, Leg]:
    return {}


def _cosmetic(mail: int, dates: int, cards: int, _files: int) -> dict[Kind, Leg]:
    flat = (("name", "flattened"), ("name", "separator-replaced"))
    hidden = {"search-folder": 21, "hidden": 9, "journal": 3}
    return {
        Kind.MAIL: whole(mail, losses={("body", "bare-lf"): 7}, folders=flat, omitted=hidden),
        Kind.CALENDAR: whole(dates, losses={("categories", "colour-not-kept"): 5}),
        Kind.CONTACTS: whole(cards, losses={("note", "formatting"): 3}),
    }


def _functional(mail: int, dates: int, _cards: int, _files: int) -> dict[Kind, Leg]:
    lost = {("show-as", "outlook-only"): 6, ("reminder", "past"): 2, ("attendee", "twice"): 1}
    flags = {("flags", "follow-up-completed"): 9, ("importance", "no-equivalent"): 4}
    return {Kind.CALENDAR: whole(dates, losses=lost), Kind.MAIL: whole(mail, losses=flags)}


def _content(_mail: int, dates: int, cards: int, _files: int) -> dict[Kind, Leg]:
    return {
        Kind.CALENDAR: whole(dates, losses={("attachment", "too-large"): 1, ("text", "truncated"): 1}),
        Kind.CONTACTS: whole(cards, losses={("photo", "unknown-format"): 1}),
    }


def _rejected(mail: int, dates: int, _cards: int, files: int) -> dict[Kind, Leg]:
    return {
        Kind.MAIL: some(mail - 2, {(State.REJECTED, "too-large"): 2}),
        Kind.CALENDAR: some(dates - 1, {(State.REJECTED, "unknown-time-zone"): 1}),
        Kind.FILES: some(
            files - 4, {(State.REJECTED, "blocked-by-source"): 1, (State.REJECTED, "not-a-file"): 3}
        ),
    }


def _skipped(mail: int, dates: int, _cards: int, _files: int) -> dict[Kind, Leg]:
    return {
        Kind.MAIL: some(mail - 5, {(State.SKIPPED, "associated-item"): 5}, omitted={"search-folder": 17}),
        Kind.CALENDAR: some(dates - 2, {(State.SKIPPED, "mail-in-calendar"): 2}),
    }


def _blocked(mail: int, dates: int, _cards: int, _files: int) -> dict[Kind, Leg]:
    full = {"state": LegState.BLOCKED, "code": "over-quota"}
    return {
        Kind.MAIL: some(mail - 40, {(State.SEEN, None): 36, (State.WRITING, None): 4}, **full),
        Kind.CALENDAR: Leg({(State.SEEN, None): dates}, state=LegState.PENDING),
    }


def _rolled_back(mail: int, dates: int, cards: int, files: int) -> dict[Kind, Leg]:
    back = {"state": LegState.BLOCKED, "code": "rolled-back"}
    return {
        kind: Leg({(State.SEEN, None): count}, **back)
        for kind, count in zip(KINDS, (mail, dates, cards, files), strict=True)
    }


def _withdrawn(mail: int, _dates: int, _cards: int, files: int) -> dict[Kind, Leg]:
    return {
        Kind.MAIL: some(mail - 11, {(State.GONE, None): 11}),
        Kind.FILES: some(files - 3, {(State.WRITTEN, None): 2, (State.GONE, None): 1}),
    }


def _differs(mail: int, _dates: int, _cards: int, _files: int) -> dict[Kind, Leg]:
    found = {(Outcome.MATCH, ""): mail - 3, (Outcome.MISSING, ""): 1, (Outcome.DIFFERS, "flags"): 2}
    bad = {"state": LegState.DIFFERS, "code": "verification-differs"}
    return {Kind.MAIL: some(mail - 3, {(State.WRITTEN, None): 3}, findings=found, **bad)}


def _never_run(*_sizes: int) -> dict[Kind, Leg]:
    return {kind: Leg({}, state=LegState.PENDING, level=None) for kind in KINDS}


def _asserted(mail: int, dates: int, cards: int, files: int) -> dict[Kind, Leg]:
    return {
        kind: whole(count, level="asserted")
        for kind, count in zip(KINDS, (mail, dates, cards, files), strict=True)
    }


ODD: dict[int, Any] = {
    2: _cosmetic,
    3: _functional,
    4: _content,
    5: _rejected,
    6: _skipped,
    7: _blocked,
    8: _rolled_back,
    9: _withdrawn,
    10: _differs,
    11: _never_run,
    1: _asserted,
}


@dataclass(frozen=True)
class World:
    """ids: of the mailboxes by what happened to them, their number in legs_of."""

    ledger: Ledger
    ids: Mapping[int, str]


def world(url: str, scale: int = 1, pulses: bool = True, sealed: bool = False, other: bool = True) -> World:
    """other: another wave lies in the same ledger, of which nothing may be told."""
    ledger = Ledger(url)
    ledger.migrate()
    ids = _planned(ledger, WAVE, 12)
    with ledger.engine.begin() as connection:
        for number, mailbox_id in ids.items():
            for kind, one in legs_of(number, scale).items():
                _fill(connection, mailbox_id, kind, one, number)
        for mailbox_id in ids.values():
            found = {"level": "directory", "code": None, "items": 250 * scale, "bytes": 9_000_000 * scale}
            connection.execute(insert(checked).values(mailbox=mailbox_id, at=BEGAN - HOUR, **found))
        live = update(mailbox).where(mailbox.c.id.in_([ids[0], ids[1]])).values(phase=Phase.LIVE.value)
        connection.execute(live)
        if sealed:
            _seal(connection)
        if pulses:
            connection.execute(insert(pulse), _pulses(scale))
    _decide(ledger, ids)
    if other:
        (stranger,) = _planned(ledger, "other", 1).values()
        with ledger.engine.begin() as connection:
            _fill(
                connection, stranger, Kind.MAIL, some(1, {(State.REJECTED, "poison-item"): 999_999 % 77}), 0
            )
    return World(ledger, ids)


def _planned(ledger: Ledger, wave: str, count: int) -> dict[int, str]:
    rows = [
        PlannedMailbox(
            f"zaphod-{wave}-{number}@old.example",
            f"zaphod-{wave}-{number}@new.example",
            wave,
            Phase.STAGING,
            frozenset(KINDS),
        )
        for number in range(count)
    ]
    return dict(enumerate(map(str, ledger.add_mailboxes(rows))))


def _fill(connection: Any, mailbox_id: str, kind: Kind, one: Leg, number: int) -> None:
    where = (leg.c.mailbox == mailbox_id, leg.c.workload == kind.value)
    leg_id = connection.execute(select(leg.c.id).where(*where)).scalar_one()
    total = sum(one.counts.values())
    arrived = sum(
        count for (state, _), count in one.counts.items() if state in (State.VERIFIED, State.WRITTEN)
    )
    worked = one.level is not None
    values = {
        "state": one.state.value,
        "code": one.code,
        "level": one.level,
        "items": total,
        "done": arrived,
        "bytes": arrived * 4096,
        "busy": arrived / 12.0,
        "copied": arrived,
        "copied_bytes": arrived * 4096,
        "started": BEGAN + number * 300.0 if worked else None,
        "finished": BEGAN + number * 900.0 + HOUR if worked else None,
    }
    connection.execute(update(leg).where(leg.c.id == leg_id).values(values))
    folder = _container(connection, leg_id, kind, "Geheime Ablage", None, total)
    for reason, count in one.omitted.items():
        _container(connection, leg_id, kind, f"Geheim {reason}", reason, count)
    keys = _items(connection, folder, one.counts)
    _many(connection, loss, _losses(folder, keys, one))
    _many(
        connection,
        finding,
        [
            {"container": folder, "outcome": outcome.value, "detail": detail}
            for (outcome, detail), count in one.findings.items()
            for _ in range(count)
        ],
    )


def _container(connection: Any, leg_id: int, kind: Kind, name: str, omit: str | None, total: int) -> int:
    key = hashlib.blake2b(f"{leg_id} {name}".encode(), digest_size=16).digest()
    values = {
        "leg": leg_id,
        "key": key,
        "kind": kind.value,
        "source_id": pack_id("geheim"),
        "path": f'["{name}"]',
        "href": None if omit else "Geheim (2)",
    }
    values |= {"omit": omit, "total": total}
    return int(connection.execute(insert(container).values(values).returning(container.c.id)).scalar_one())


def _items(connection: Any, folder: int, counts: Mapping[tuple[State, str | None], int]) -> list[bytes]:
    """Keys, in the order of counts."""
    rows = []
    for (state, code), count in counts.items():
        for _ in range(count):
            key = hashlib.blake2b(f"{folder} {len(rows)}".encode(), digest_size=16).digest()
            rows.append(
                {
                    "container": folder,
                    "key": key,
                    "state": state.value,
                    "version": 1,
                    "attempts": 1,
                    "size": 4096,
                    "source_id": pack_id("geheim"),
                    "code": code,
                    "place": "Geheimer Bericht.odt",
                }
            )
    _many(connection, item, rows)
    return [row["key"] for row in rows]  # type: ignore[misc]


def _losses(folder: int, keys: Sequence[bytes], one: Leg) -> list[dict[str, Any]]:
    """No two of a leg on one item, until its items are used up."""
    rows, at = [], 0
    for (name, reason), count in one.losses.items():
        for _ in range(count):
            rows.append({"container": folder, "key": keys[at], "field": name, "reason": reason})
            at += 1
    bare = hashlib.blake2b(f"{folder} folder".encode(), digest_size=16).digest()
    return rows + [{"container": folder, "key": bare, "field": n, "reason": r} for n, r in one.folders]


def _many(connection: Any, table: Table, rows: list[dict[str, Any]]) -> None:
    if rows:
        connection.execute(insert(table), rows)


def _pulses(scale: int) -> list[dict[str, Any]]:
    """Three hours, a break of one, two hours; the source slows it down in the second, the target once."""
    rows, copied, minutes = [], 0.0, [*range(180), *range(240, 360)]
    for minute in minutes:
        slow = 0.5 if 60 <= minute < 95 else 0.0 if minute == 95 else 1.0
        copied += scale * 8.9 * slow * (1 + 0.35 * sin(minute / 9))
        done = min(int(copied), 2560 * scale)
        target = 0.75 if 300 <= minute < 320 else 1.0
        counts = {"items": min(int(copied * 1.4) + 400 * scale, 2750 * scale), "done": done, "copied": done}
        boxes = min(8, minute // 38)
        rows.append(
            {
                "wave": WAVE,
                "at": BEGAN + minute * 60,
                "mailboxes": boxes,
                "copied_bytes": done * 4096,
                "legs": 4,
                "source": slow,
                "target": target,
                **counts,
            }
        )
    return rows


def _seal(connection: Any) -> None:
    """Number 1 was of another wave; this one's was corrected once."""
    rows = [("first", b"\x01", None), (WAVE, b"\x02", None), (WAVE, b"\x03", 2)]
    for number, (wave, byte, corrects) in enumerate(rows, 1):
        values = {"number": number, "wave": wave, "statement": byte * 16 + b"\x5a" * 16, "root": byte * 32}
        connection.execute(insert(seal).values(at=BEGAN + 30 * HOUR + number, corrects=corrects, **values))


def _decide(ledger: Ledger, ids: Mapping[int, str]) -> None:
    """Who decided what. Somebody wrote an address into a reason."""
    with ledger.engine.begin() as connection:
        for name in ("A. Petersen", "B. Iversen"):
            detail = {
                "plan": "5a" * 32,
                "approver": name,
                "reason": "first wave",
                "at": "2025-11-25T20:00:00Z",
            }
            append_event(connection, WAVE, "plan-approved:start", detail, subject=f"wave:{WAVE}")
    ledger.approve(ids[1], "asserted", "C. Hansen", "asked zaphod-pilot-1@old.example by telephone")
    ledger.event(
        WAVE, "paused", {"by": "C. Hansen", "reason": "backup of the target"}, subject=f"wave:{WAVE}"
    )
    ledger.event(WAVE, "resumed", {"by": "C. Hansen"}, subject=f"wave:{WAVE}")
    ledger.event(WAVE, "rollback-started", {"workload": "mail", "items": 120, "recall": 0}, subject=ids[8])
    ledger.event(WAVE, "rolled-back", {"workload": "mail", "removed": 120}, subject=ids[8])
    ledger.event(WAVE, "cutover", {"by": "C. Hansen", "mailboxes": 2})
    for number in (0, 1):
        ledger.event(WAVE, "phase", {"by": "C. Hansen", "phase": "live"}, subject=ids[number])
    ledger.event("targets", "invitation-probe:0123456789abcdef", {"outcome": "silent", "watched": 120})


def forget_pulses(ledger: Ledger) -> None:
    with ledger.engine.begin() as connection:
        connection.execute(delete(pulse))
