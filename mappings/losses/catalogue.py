"""Declare every loss that a mapping may emit, once, with a sentence for people.

A mapping emits losses only through `lose`; an undeclared pair is a fault of the program, not of the input,
and fails loudly. docs/fidelity.md is generated from these tables, and a test checks it. There is one file for
each kind in mappings/losses; severity says how much each loss matters.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import ModuleType

from mappings.losses import any_item
from mappings.losses import contact as losses_contact
from mappings.losses import event as losses_event
from mappings.losses import file as losses_file
from mappings.losses import mail as losses_mail
from mappings.losses import note as losses_note
from mappings.losses import task as losses_task
from mappings.losses.severity import Class, class_of
from model.errors import Corrupt
from model.kinds import KINDS, Kind
from model.protocols import Loss


def _title(kind: Kind) -> str:
    return "Mail and folders" if kind is Kind.MAIL else KINDS[kind].nouns.capitalize()


DECLARED: Mapping[Kind, ModuleType] = {
    Kind.MAIL: losses_mail,
    Kind.CALENDAR: losses_event,
    Kind.CONTACTS: losses_contact,
    Kind.TASKS: losses_task,
    Kind.NOTES: losses_note,
    Kind.FILES: losses_file,
}
"""What the mapping of each kind may lose. Mail declares the losses of folders, too."""
PARTS: Mapping[str, ModuleType] = {
    **{_title(kind): declared for kind, declared in DECLARED.items()},
    "Any kind": any_item,
}
"""The same with what may be lost of any kind, by the title of its tables."""
LOSSES: Mapping[tuple[str, str], str] = {
    pair: text for kind in PARTS.values() for pair, text in kind.LOSSES.items()
}
SKIPS: Mapping[str, str] = {code: text for kind in PARTS.values() for code, text in kind.SKIPS.items()}
REJECTIONS: Mapping[str, str] = {
    code: text for kind in PARTS.values() for code, text in kind.REJECTIONS.items()
}


def lose(field: str, reason: str) -> Loss:
    """Return a declared loss.

    Raises:
        Corrupt: "undeclared-loss" if the tables do not declare it.
    """
    if (field, reason) not in LOSSES:
        raise Corrupt("undeclared-loss", "mappings/losses/*.py do not declare it")
    return Loss(field, reason)


def table() -> str:
    """Return the declared losses, skips and rejections as Markdown: a part of docs/fidelity.md."""
    lines: list[str] = []
    for kind, declared in PARTS.items():
        transformed: list[tuple[str, ...]] = [
            (field, f"`{reason}`", class_of(field, reason), text)
            for (field, reason), text in sorted(declared.LOSSES.items())
        ]
        lines += _rows(f"{kind}: transformed", ("What", "Code", "Class", "Meaning"), transformed)
        for title, codes in (
            ("skipped by rule", declared.SKIPS),
            ("rejected, needs a person", declared.REJECTIONS),
        ):
            if codes:
                rows: list[tuple[str, ...]] = [(f"`{code}`", text) for code, text in sorted(codes.items())]
                lines += _rows(f"{kind}: {title}", ("Code", "Meaning"), rows)
    return "\n".join(lines)


def class_table() -> str:
    """Return the class of every declared loss, by kind and field, as Markdown: a part of docs/score.md."""
    lines: list[str] = []
    for kind, declared in PARTS.items():
        by_field: dict[str, dict[Class, list[str]]] = {}
        for field, reason in sorted(declared.LOSSES):
            by_field.setdefault(field, {}).setdefault(class_of(field, reason), []).append(f"`{reason}`")
        rows = [
            (field, *(", ".join(classes.get(class_, [])) for class_ in Class))
            for field, classes in by_field.items()
        ]
        lines += _rows(kind, ("What", *Class), rows)
    return "\n".join(lines)


def _rows(title: str, head: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> list[str]:
    lines = [f"### {title}", "", _row(head), _row(("---",) * len(head))]
    return [*lines, *(_row(row) for row in rows), ""]


def _row(cells: tuple[str, ...]) -> str:
    return "| " + " | ".join(cells) + " |"
