"""Declare every loss that a mapping may emit, once, with a sentence for people.

A mapping emits losses only through `lose`; an undeclared pair is a fault of the program, not of the input,
and fails loudly. docs/fidelity.md is generated from these tables, and a test checks it. There is one file for
each kind in mappings/losses; severity says how much each loss matters.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import ModuleType

from mappings.losses import any_item
from mappings.losses import contact as losses_contact
from mappings.losses import event as losses_event
from mappings.losses import file as losses_file
from mappings.losses import mail as losses_mail
from mappings.losses import note as losses_note
from mappings.losses import task as losses_task
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
