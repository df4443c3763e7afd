"""How two copies are compared, as Markdown: the compared part of docs/fidelity.md."""

from __future__ import annotations

from collections.abc import Mapping

from mappings.compare.ignored import BOTH, CALENDAR, CARD
from mappings.compare.semantic_digest import CALENDAR_FIELDS, CARD_FIELDS

TABLES: tuple[tuple[str, tuple[str, str], Mapping[str, str]], ...] = (
    ("What is compared of events and tasks", ("Field", "What it compares"), CALENDAR_FIELDS),
    ("What is compared of contacts", ("Field", "What it compares"), CARD_FIELDS),
    ("What is ignored in both", ("What", "Why"), BOTH),
    ("What is ignored in events and tasks", ("What", "Why"), CALENDAR),
    ("What is ignored in contacts", ("What", "Why"), CARD),
)


def tables() -> str:
    """A table for each of TABLES; fields stand as findings name them, in the order in which they do."""
    lines: list[str] = []
    for title, head, entries in TABLES:
        lines += [f"### {title}", "", f"| {head[0]} | {head[1]} |", "| --- | --- |"]
        code = "`" if head[0] == "Field" else ""
        lines += [f"| {code}{name}{code} | {text} |" for name, text in entries.items()]
        lines.append("")
    return "\n".join(lines)
