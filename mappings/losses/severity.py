"""Define how much each declared loss matters: for the score of a cutover and for people.

    content     something that somebody wrote or was sent is missing, or says something else
    functional  all of it is there, and something about it works otherwise: a flag, a reminder, a right
    cosmetic    only how it looks or is spelt, or what meant nothing

Each class is a file of losses in model/codes. A loss of several kinds is of one class.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum

from model.code_entries import Entries

Pair = tuple[str, str]
"""The field and the reason of a loss."""


class Class(StrEnum):
    """Name a class of losses; see the module."""

    CONTENT = "content"
    FUNCTIONAL = "functional"
    COSMETIC = "cosmetic"


def _pair(head: str) -> Pair:
    field, _, reason = head.partition(".")
    return field, reason


ENTRIES = Entries(*(f"losses_{kind}" for kind in Class), key=_pair)
"""Every declared loss."""
_OF: Mapping[Class, Entries[Pair]] = {kind: Entries(f"losses_{kind}", key=_pair) for kind in Class}


def class_of(field: str, reason: str) -> Class:
    """Return the class of a loss.

    A loss that another version recorded, and that is not declared, is content.
    """
    return next((kind for kind, declared in _OF.items() if (field, reason) in declared), Class.CONTENT)


def losses_of(kind: Class) -> frozenset[Pair]:
    """Return the declared losses (field, reason) of a class."""
    return frozenset(_OF[kind])
