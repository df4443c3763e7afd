"""Declare every loss that a mapping may emit, once, with a sentence for people.

A mapping emits losses only through `lose`; an undeclared pair is a fault of the program, not of the input,
and fails loudly. The entries stand in model/codes: losses_*.toml, skips.toml and rejection.toml.
docs/fidelity.md is generated from them, and a test checks it.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property

from mappings.losses.severity import ENTRIES, Pair
from model.code_entries import Entry, K, Sentences, Text, entries_of
from model.errors import Corrupt
from model.kinds import KINDS, Kind
from model.protocols import Loss

LOSSES = Sentences(ENTRIES, lambda entry: entry.meaning)
SKIPS = Sentences(entries_of("skips"), lambda entry: entry.meaning)
REJECTIONS = Sentences(entries_of("rejection"), lambda entry: entry.meaning)


class Declared:
    """Hold what the mapping of a kind may lose, skip and reject, in the words for this kind."""

    def __init__(self, kind: str) -> None:
        """Read nothing yet. kind: the value of a Kind, or "any"."""
        self._kind = kind

    @cached_property
    def losses(self) -> Mapping[Pair, Text]:
        """What a loss means, by its field and its reason."""
        return self._own(LOSSES.entries)

    @cached_property
    def skips(self) -> Mapping[str, Text]:
        """Why an item is skipped, by code."""
        return self._own(SKIPS.entries)

    @cached_property
    def rejections(self) -> Mapping[str, Text]:
        """Why an item is rejected, by code."""
        return self._own(REJECTIONS.entries)

    def _own(self, entries: Mapping[K, Entry]) -> Mapping[K, Text]:
        return {key: one.meaning_of(self._kind) for key, one in entries.items() if self._kind in one.kinds}


def _title(kind: Kind) -> str:
    return "Mail and folders" if kind is Kind.MAIL else KINDS[kind].nouns.capitalize()


DECLARED: Mapping[Kind, Declared] = {kind: Declared(kind) for kind in Kind}
"""What the mapping of each kind may lose. Mail declares the losses of folders, too."""
ANY_KIND = Declared("any")
"""What an item of any kind may lose if a person accepts a difference that no pass can mend."""
PARTS: Mapping[str, Declared] = {
    **{_title(kind): declared for kind, declared in DECLARED.items()},
    "Any kind": ANY_KIND,
}
"""The same by the title of its tables."""


def lose(field: str, reason: str) -> Loss:
    """Return a declared loss.

    Raises:
        Corrupt: "undeclared-loss" if the tables do not declare it.
    """
    if (field, reason) not in LOSSES:
        raise Corrupt("undeclared-loss", "model/codes/losses_*.toml do not declare it")
    return Loss(field, reason)


def meaning_of_loss(kind: Kind, field: str, reason: str) -> Text:
    """Return the sentence that declares a loss for items of a kind, or for its folders.

    Returns:
        Nothing for a loss that no table declares: an older version recorded it.
    """
    tables = (DECLARED[kind], DECLARED[Kind.MAIL], ANY_KIND)
    return next((one.losses[field, reason] for one in tables if (field, reason) in one.losses), {})
