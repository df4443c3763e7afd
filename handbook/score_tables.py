"""Write the tables of docs/fidelity.md and docs/score.md: declared losses, and the rule of the score."""

from __future__ import annotations

from collections.abc import Sequence

from engine.approvals.score import FAIR_LACKING, FAIR_SHARE, GOOD_LACKING, GOOD_SHARE, Rating
from mappings.losses.catalogue import PARTS
from mappings.losses.severity import Class, class_of
from model.code_entries import ENGLISH


def loss_table() -> str:
    """Return the declared losses, skips and rejections as Markdown: a part of docs/fidelity.md."""
    lines: list[str] = []
    for kind, declared in PARTS.items():
        transformed: list[tuple[str, ...]] = [
            (field, f"`{reason}`", class_of(field, reason), declared.losses[field, reason][ENGLISH])
            for field, reason in sorted(declared.losses)
        ]
        lines += table_rows(f"{kind}: transformed", ("What", "Code", "Class", "Meaning"), transformed)
        for title, codes in (
            ("skipped by rule", declared.skips),
            ("rejected, needs a person", declared.rejections),
        ):
            rows: list[tuple[str, ...]] = [(f"`{code}`", codes[code][ENGLISH]) for code in sorted(codes)]
            lines += table_rows(f"{kind}: {title}", ("Code", "Meaning"), rows)
    return "\n".join(lines)


def class_table() -> str:
    """Return the class of every declared loss, by kind and field, as Markdown: a part of docs/score.md."""
    lines: list[str] = []
    for kind, declared in PARTS.items():
        by_field: dict[str, dict[Class, list[str]]] = {}
        for field, reason in sorted(declared.losses):
            by_field.setdefault(field, {}).setdefault(class_of(field, reason), []).append(f"`{reason}`")
        rows = [
            (field, *(", ".join(classes.get(class_, [])) for class_ in Class))
            for field, classes in by_field.items()
        ]
        lines += table_rows(kind, ("What", *Class), rows)
    return "\n".join(lines)


def rule_table() -> str:
    """Return the rule as Markdown: a generated part of docs/score.md."""
    goes_on, waiting = "goes on", "waits for a person"
    rows = (
        ("Score", "Arrived, of all items", "Lack content, of all items", "At the cutover"),
        ("---",) * 4,
        (f"`{Rating.PERFECT}`", "all", "none", goes_on),
        (f"`{Rating.GOOD}`", f"{GOOD_SHARE:.1%} or more", f"at most {GOOD_LACKING:.0%}", goes_on),
        (f"`{Rating.INVESTIGATE}`", f"{FAIR_SHARE:.0%} or more", f"at most {FAIR_LACKING:.0%}", waiting),
        (f"`{Rating.POOR}`", "less", "more", waiting),
    )
    return "\n".join(f"| {' | '.join(cells)} |" for cells in rows)


def table_rows(title: str, head: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> list[str]:
    """Return a table below its title; nothing if it has no rows."""
    lines = [f"### {title}", "", _row(head), _row(("---",) * len(head))]
    return [*lines, *(_row(row) for row in rows), ""] if rows else []


def _row(cells: tuple[str, ...]) -> str:
    return "| " + " | ".join(cells) + " |"
