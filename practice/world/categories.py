"""The master category list of a mailbox: the categories' names and colours, as Outlook keeps them."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from typing import TYPE_CHECKING

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


def category_id(mailbox: Mailbox, name: str) -> str:
    return str(uuid.UUID(bytes=digest(mailbox.seed, mailbox.address, "category", name), version=4)).upper()
