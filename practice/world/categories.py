"""The master category list of a mailbox: the categories' names and colours, as Outlook keeps them."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from typing import TYPE_CHECKING

from practice.exchange.soap import escape
from practice.harness.dice import digest
from practice.world.cases import tables

if TYPE_CHECKING:
    from practice.world.mailbox import Mailbox


@dataclass(frozen=True, slots=True)
class _Category:
    name: str
    color: int


@dataclass(frozen=True, slots=True)
class _List:
    categories: tuple[_Category, ...]


CATEGORIES = tuple(
    (each.name, each.color) for one in tables("categories", _List).values() for each in one.categories
)


def master_list(mailbox: Mailbox) -> str:
    """XML, in the namespace Outlook gave it (MS-OXOCFG, 2.2.5.2)."""
    each = "".join(
        f'<category name="{escape(name)}" color="{color}" keyboardShortcut="0" usageCount="{7 + at}"'
        f' lastTimeUsedNotes="1601-01-01T00:00:00.000" lastTimeUsed="2026-08-{1 + at:02d}T09:30:00.000"'
        f' lastSessionUsed="0" guid="{{{category_id(mailbox, name)}}}" renameOnFirstUse="0"/>'
        for at, (name, color) in enumerate(CATEGORIES)
    )
    return (
        '<?xml version="1.0"?><categories default="Rote Kategorie" lastSavedSession="5"'
        f' lastSavedTime="2026-08-31T12:00:00.000" xmlns="CategoryList.xsd">{each}</categories>'
    )


def category_id(mailbox: Mailbox, name: str) -> str:
    return str(uuid.UUID(bytes=digest(mailbox.seed, mailbox.address, "category", name), version=4)).upper()
