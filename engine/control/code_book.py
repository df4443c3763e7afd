"""Explain every code, state and loss that Kogge shows: what it means, why it happens, and what to do.

They stand in model/codes, one entry a code. `kogge explain`, the suggestions for a mistyped code and the
reference page use this module.
"""

from __future__ import annotations

import difflib
from collections.abc import Collection, Iterator, Mapping
from dataclasses import asdict, dataclass
from functools import cache

from engine.control.remedies import ITEM, MAILBOX, PASSING, RUN, STAYS
from mappings.losses.catalogue import PARTS, SKIPS
from mappings.losses.severity import class_of
from model.code_entries import ENGLISH, Sentences, entries_of

REFERENCE = "docs/reference/codes.md"
FIDELITY = "docs/fidelity.md"
SUGGESTED = 4
LIKE = 0.6
"""How much alike a mistyped code and a suggestion are, by difflib's ratio."""


@dataclass(frozen=True, slots=True)
class CodeEntry:
    """Explain one code in one area.

    Attributes:
        code: as it is shown. Of a loss, its field and its reason, separated by a space.
        area: what it is said of, as AREAS has it.
        meaning: what it means: a sentence.
        cause: why it happens: a sentence; "" if the meaning says it.
        advice: what to do: a sentence; "" if nothing is to be done.
        page: where it is documented, from the root of the project.
    """

    code: str
    area: str
    meaning: str
    cause: str
    advice: str
    page: str

    def document(self) -> dict[str, str]:
        """Return the entry as plain data, for JSON."""
        return asdict(self)


STATES = "A state, a phase or a fate"
SKIPPED = "An item is skipped by a rule"
LOST = "An item arrived without something"
LEFT = "What `kogge discover` says stays behind"
CODES: Mapping[str, Sentences[str]] = {
    "A mailbox is blocked": MAILBOX,
    "An item is rejected, or not quite as it should be": ITEM,
    "Passing: the mailbox is left waiting": PASSING,
    "A run, a verification, the ledger": RUN,
}
"""The advice of every code, by area."""
AREAS = (*CODES, SKIPPED, LEFT, LOST, STATES)


@cache
def entries() -> tuple[CodeEntry, ...]:
    """Return every entry, by area and code."""
    every = (*_coded(), *_skipped(), *_staying(), *_lost(), *_states())
    return tuple(sorted(every, key=lambda one: (AREAS.index(one.area), one.code)))


def find(word: str) -> list[CodeEntry]:
    """Return what a word names: a code, a state, or a loss by its field, its reason or both.

    Args:
        word: as somebody typed it: in any case, and a loss with a space, a slash or nothing in between.

    Returns:
        Nothing if the word names nothing. One word may be a code in several areas.
    """
    asked = " ".join(word.lower().replace("/", " ").split())
    whole = [one for one in entries() if one.code == asked]
    parts = [one for one in entries() if one.area == LOST and asked in one.code.split()]
    return whole + [one for one in parts if one not in whole]


def suggestions(word: str, known: Collection[str] | None = None) -> list[str]:
    """Return the codes that somebody may have meant, the likeliest first; at most SUGGESTED.

    Args:
        word: what was typed.
        known: the codes that may be meant; None means all.
    """
    codes = sorted({one.code for one in entries()} if known is None else set(known))
    asked = word.lower().strip()
    near = difflib.get_close_matches(asked, codes, n=SUGGESTED, cutoff=LIKE)
    words = [one for one in codes if asked and asked in one.replace(" ", "-").split("-")]
    return list(dict.fromkeys([*near, *words]))[:SUGGESTED]


def unknown_code(word: str, known: Collection[str] | None = None) -> str:
    """Return advice on a code that there is none of: the nearest ones, or where all are listed."""
    near = suggestions(word, known)
    if not near:
        return "unknown; `kogge explain` lists every code"
    *others, last = near
    return (
        f"unknown; did you mean {', '.join(others)} or {last}?"
        if others
        else f"unknown; did you mean {last}?"
    )


def handbook() -> str:
    """Return every code as Markdown tables, for the reference page."""
    lines: list[str] = []
    for area in (*CODES, LEFT):
        head = ("Code", "What it is") if area == LEFT else ("Code", "What it means, and why", "What to do")
        lines += [f"## {area}", "", _row(head), _row(("---",) * len(head))]
        for one in (one for one in entries() if one.area == area):
            said = " ".join(filter(None, (one.meaning, one.cause)))
            lines.append(_row((f"`{one.code}`", said, *((one.advice,) if area != LEFT else ()))))
        lines.append("")
    return "\n".join(lines)


def _row(cells: tuple[str, ...]) -> str:
    return "| " + " | ".join(cells) + " |"


def _coded() -> Iterator[CodeEntry]:
    for area, texts in CODES.items():
        for code, one in texts.entries.items():
            yield CodeEntry(code, area, one.meaning[ENGLISH], one.why, texts[code], one.page or REFERENCE)


def _skipped() -> Iterator[CodeEntry]:
    for code, text in SKIPS.items():
        yield CodeEntry(code, SKIPPED, text, "", "Nothing is to be done.", FIDELITY)


def _staying() -> Iterator[CodeEntry]:
    for code, text in STAYS.items():
        yield CodeEntry(code, LEFT, f"{text[:1].upper()}{text[1:]}.", "", "", REFERENCE)


def _lost() -> Iterator[CodeEntry]:
    """Yield each loss; one that several kinds of items have, and say alike, once."""
    found: dict[tuple[str, str], list[str]] = {}
    for kind, declared in PARTS.items():
        for (field, reason), text in declared.losses.items():
            found.setdefault((f"{field} {reason}", text[ENGLISH]), []).append(kind)
    for (code, meaning), kinds in found.items():
        field, reason = code.split(" ")
        of = f"{', '.join(kinds)}. Class: {class_of(field, reason)}."
        yield CodeEntry(code, LOST, meaning, of, "`kogge failures --losses` names the items.", FIDELITY)


def _states() -> Iterator[CodeEntry]:
    for code, one in entries_of("states").items():
        yield CodeEntry(code, STATES, one.meaning[ENGLISH], "", "", one.page or "docs/running-waves.md")
