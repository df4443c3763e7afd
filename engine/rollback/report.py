"""Report what a rollback did with each item, and how many there were of each kind."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

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
"""The item had the flag at the source already: whether it happened again cannot be told."""


@dataclass(frozen=True, slots=True)
class RollbackLine:
    """Describe one item, for a person with a right to the mailbox.

    Attributes:
        mailbox: the id of the mailbox.
        workload: the workload.
        outcome: its fate.
        folder: its folder.
        date: its date.
        bytes: its size.
        name: the name of a file, by which it can be found.
        message_id: the Message-ID of a mail, by which it can be found.
        read: see marks_of.
        answered: see marks_of.
        forwarded: see marks_of.
    """

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


@dataclass(slots=True)
class RollbackReport:
    """Count what a rollback did.

    Attributes:
        counts: items by fate, and "containers", STAYING ones, "shares"; of a recall also "read", "answered",
            "forwarded", "read-before".
        lines: a line for every item and every STAYING container; None if lines are not wanted.
        code: why the rollback has not ended; None if it has.
        cause: what this machine found of that (MigrationError.local), for the terminal only.
    """

    counts: Counter[str] = field(default_factory=Counter)
    lines: list[RollbackLine] | None = None
    code: str | None = None
    cause: str = ""

    def restart(self) -> None:
        """Forget whatever stays, because it is judged again."""
        for name in (*KEPT, STAYING):
            self.counts.pop(name, None)
        if self.lines is not None:
            self.lines = [line for line in self.lines if line.outcome == RollbackFate.OURS]

    def stays(self, mailbox: str, workload: str, path: Iterable[str]) -> None:
        """Report a container that Kogge made and that is not removed."""
        self.counts[STAYING] += 1
        if self.lines is not None:
            self.lines.append(RollbackLine(mailbox, workload, STAYING, " > ".join(path)))

    def numbers(self) -> dict[str, int]:
        """Return the counts that are not zero, by name."""
        return {str(name): count for name, count in sorted(self.counts.items()) if count}

    def add(self, mailbox: str, workload: str, one: Judged, *, recall: bool) -> None:
        """Report an item.

        Args:
            mailbox: the id of the mailbox.
            workload: the workload.
            one: the verdict on the item.
            recall: True for a recall, which also reports whether mail was read.
        """
        self.counts[one.fate] += 1
        marks = marks_of(one) if recall and one.fate is RollbackFate.OURS else {}
        self.counts.update(name for name, mark in marks.items() if mark == "yes")
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


def marks_of(judged: Judged) -> dict[str, str]:
    """Return whether a message was read, answered and forwarded since Kogge wrote it.

    Its flags now are compared with those that it had then.

    Returns:
        "yes", "no" or BEFORE for each name in MARKS.
    """
    now = _folded(judged.listed.flags if judged.listed is not None else ())
    then = _folded((judged.item.flags or "").split() if judged.item is not None else ())
    marks = {}
    for name, flag in MARKS.items():
        marks[name] = BEFORE if flag in then else "yes" if flag in now else "no"
    return marks


def detail_of(judged: Judged) -> str:
    """Return the detail of a finding that keeps the marks of what a recall removes."""
    return " ".join(
        [RECALLED, *(f"{name}={mark}" for name, mark in marks_of(judged).items() if mark != "no")]
    )


def marks_in(detail: str) -> Mapping[str, str]:
    """Return the marks that detail_of wrote."""
    values = dict(part.split("=", 1) for part in detail.split()[1:])
    return {name: values.get(name, "no") for name in MARKS}


def _folded(flags: Iterable[str]) -> frozenset[str]:
    return frozenset(flag.lower() for flag in flags)


def _date(judged: Judged) -> int | None:
    if judged.item is not None and judged.item.date is not None:
        return judged.item.date
    listed: Listed | None = judged.listed
    return int(listed.date.timestamp()) if listed is not None and listed.date is not None else None
