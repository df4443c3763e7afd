"""A report for other programs: one JSON document, and a table of mailboxes for the help desk."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import fields, is_dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

from mappings.losses.severity import Class
from reports.data import Fate, Lost, MailboxReport, Status, Total, WaveReport, arrived, awaited, totals


def document(report: WaveReport) -> dict[str, Any]:
    """Return the facts, and what follows from them, for --json."""
    found: dict[str, Any] = {
        "wave": report.wave,
        "at": _moment(report.at),
        "fates": _plain({fate: report.fates[fate] for fate in Fate}),
        "items": report.fates.total(),
        "score": {
            "rating": report.score.rating and str(report.score.rating),
            "distribution": _plain(report.score.distribution),
            "not_verified": report.score.unscored,
        },
        "unread": report.unread,
        "bytes": report.bytes,
        "statuses": _plain({status: report.statuses[status] for status in Status}),
        "failures": [_total(one) for one in totals(box.failures for box in report.boxes)],
        "losses": [_total(one) for one in totals(box.losses for box in report.boxes)],
        "skips": [_total(one) for one in totals(box.skips for box in report.boxes)],
        "left_out": [_total(one) for one in totals(box.omitted for box in report.boxes)],
        "attention": [box.id for box in report.attention],
        "mailboxes": [_box(box) for box in report.boxes],
    }
    more = ("chain", "beats", "rates", "invitation_probe", "seal")
    return found | {name: _plain(getattr(report, name)) for name in more}


def _total(one: Total) -> dict[str, Any]:
    loss = {"class": str(one.one.kind)} if isinstance(one.one, Lost) else {}
    told: dict[str, Any] = _plain(one.one)
    return {**told, **loss, "mailboxes": one.mailboxes}


def _box(box: MailboxReport) -> dict[str, Any]:
    found: dict[str, Any] = _plain(box)
    rating = None if box.score is None else str(box.score.rating)
    return {**found, "status": str(box.status), "rating": rating, "attention": box.attention}


def _moment(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat()


TIMES = frozenset({"at", "first", "last"})


def _plain(value: Any) -> Any:
    if is_dataclass(value) and not isinstance(value, type):
        return {
            one.name: _moment(own) if one.name in TIMES else _plain(own)
            for one in fields(value)
            for own in (getattr(value, one.name),)
        }
    if isinstance(value, Mapping):
        return {str(key): _plain(own) for key, own in value.items()}
    if isinstance(value, StrEnum):
        return str(value)
    return [_plain(own) for own in value] if isinstance(value, list | tuple) else value


COLUMNS = (
    "mailbox", "wave", "status", "phase", "rating", "items", "arrived", "share",
    *(str(fate) for fate in Fate), "unread", "content", "functional", "cosmetic", "codes",
)  # fmt: skip


def rows(report: WaveReport) -> Iterator[dict[str, object]]:
    """Yield a row with COLUMNS for each mailbox, for the help desk.

    The codes are those of the mailbox and its workloads, then of its failed items with their number.
    """
    for box in report.boxes:
        fates = box.fates
        lost = {str(kind): "" if box.score is None else box.score.lost(kind) for kind in Class}
        failed = [f"{one.code} ({one.items})" for one in box.failures]
        due = awaited(fates)
        yield {
            "mailbox": box.id,
            "wave": report.wave,
            "status": str(box.status),
            "phase": str(box.phase),
            "rating": "" if box.score is None else str(box.score.rating),
            "items": due,
            "arrived": arrived(fates),
            "share": f"{arrived(fates) / due:.6f}" if due else "",
            **{str(fate): fates[fate] for fate in Fate},
            "unread": sum(part.unread for part in box.parts),
            **lost,
            "codes": "; ".join([*box.codes, *failed]),
        }
