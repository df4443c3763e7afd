"""What a rollback says of each item, and how many there were of each kind."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field

from engine.rollback.classify import Judged, RollbackFate, size_of
from ledger.leg.rollback import RECALLED
from model.date_text import date_of
from model.protocols import Listed

KEPT = (
    RollbackFate.CHANGED,
    RollbackFate.GONE,
    RollbackFate.SHARED,
    RollbackFate.FOUND,
    RollbackFate.UNREADABLE,
    RollbackFate.REFUSED,
    RollbackFate.ADDED,
)
STAYING = "containers-staying"
MARKS = {"read": "\\seen", "answered": "\\answered", "forwarded": "$forwarded"}
BEFORE = "before"
"""It had the flag at the source already: nobody can tell whether it happened again."""


@dataclass(frozen=True, slots=True)
class RollbackLine:
    """One item, for a person with a right to the mailbox: name (of a file) and message_id let it be found."""

    mailbox: str
    workload: str
    outcome: str
    folder: str
    date: str = ""
    bytes: int | None = None
    name: str = ""
    message_id: str = ""
    read: str = ""
    answered: str = ""
    forwarded: str = ""

    def cells(self) -> dict[str, object]:
        return asdict(self)


@dataclass(slots=True)
class RollbackReport:
    """counts: items by fate, and "containers", STAYING ones, "shares", and of a recall "read", "answered",
    "forwarded", "read-before". lines: of every item and every STAYING container, where they are asked for.
    code: why it has not ended, None when it has."""

    counts: Counter[str] = field(default_factory=Counter)
    lines: list[RollbackLine] | None = None
    code: str | None = None

    def restart(self) -> None:
        """Whatever stays is looked at anew."""
        for name in (*KEPT, STAYING):
            self.counts.pop(name, None)
        if self.lines is not None:
            self.lines = [line for line in self.lines if line.outcome == RollbackFate.OURS]

    def stays(self, mailbox: str, workload: str, path: Iterable[str]) -> None:
        """A container that we made, and that is not removed."""
        self.counts[STAYING] += 1
        if self.lines is not None:
            self.lines.append(RollbackLine(mailbox, workload, STAYING, " > ".join(path)))

    def numbers(self) -> dict[str, int]:
        return {str(name): count for name, count in sorted(self.counts.items()) if count}

    def add(self, mailbox: str, workload: str, one: Judged, *, recall: bool) -> None:
        self.counts[one.fate] += 1
        marks = marks_of(one) if recall and one.fate is RollbackFate.OURS else {}
        self.counts.update(name for name, told in marks.items() if told == "yes")
        self.counts["read-before"] += marks.get("read") == BEFORE
        if self.lines is None:
            return
        self.lines.append(
            RollbackLine(
                mailbox,
                workload,
                str(one.fate),
                " > ".join(one.row.path),
                date=date_of(_date(one)),
                bytes=size_of(one),
                name=one.href if workload == "files" else "",
                message_id=(one.listed.message_id or "") if one.listed is not None else "",
                **marks,
            )
        )


def marks_of(one: Judged) -> dict[str, str]:
    """Whether a message was read, answered, forwarded since we wrote it, by its flags now and then."""
    now = _folded(one.listed.flags if one.listed is not None else ())
    then = _folded((one.item.flags or "").split() if one.item is not None else ())
    told = {}
    for name, flag in MARKS.items():
        told[name] = BEFORE if flag in then else "yes" if flag in now else "no"
    return told


def detail_of(one: Judged) -> str:
    """The detail of a finding that keeps the marks of what a recall removes."""
    return " ".join([RECALLED, *(f"{name}={told}" for name, told in marks_of(one).items() if told != "no")])


def marks_in(detail: str) -> Mapping[str, str]:
    """What detail_of wrote."""
    said = dict(part.split("=", 1) for part in detail.split()[1:])
    return {name: said.get(name, "no") for name in MARKS}


def _folded(flags: Iterable[str]) -> frozenset[str]:
    return frozenset(flag.lower() for flag in flags)


def _date(one: Judged) -> int | None:
    if one.item is not None and one.item.date is not None:
        return one.item.date
    listed: Listed | None = one.listed
    return int(listed.date.timestamp()) if listed is not None and listed.date is not None else None
