"""Say what one person may do in a folder by all entries that name the person.

Exchange adds up what several entries allow one person, and who has full access to a mailbox has it whatever
the folder says. Where the list of the administrator and the mailbox itself both speak of a folder, the
narrower counts: one of them is out of date, and nobody knows which.

Source:
    https://mskb.pkisolutions.com/kb/180004 (Microsoft's article 180004: permissions are cumulative),
    https://learn.microsoft.com/exchange/recipients/mailbox-permissions (FullAccess)
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import reduce

from mappings.rights.source_right import Delegation, SourceRight
from model.folder_rights import NOTHING, Access


@dataclass(frozen=True, slots=True)
class Entry:
    """Hold a right with the id of its record."""

    id: str
    right: SourceRight


@dataclass(frozen=True, slots=True)
class Granted:
    """Say what all entries of a person come to.

    Attributes:
        giver: the id of the entry that stands for all; "" if none of them allows anything.
        access: what the person may do.
        delegation: what the person has as the owner's delegate; None if the person is none.
        differ: True if the list and the mailbox say different things.
        whole: True if a right to the whole mailbox is among them.
        unconfirmed: the ids of listed entries that the mailbox itself does not have.
    """

    giver: str
    access: Access
    delegation: Delegation | None
    differ: bool
    whole: bool
    unconfirmed: frozenset[str]


def granted(entries: Iterable[Entry]) -> Granted:
    """Return what the entries of one person to one folder come to, in whatever order they are.

    Args:
        entries: those that name the person; none of them is denied.
    """
    every = sorted(entries, key=lambda one: one.id)
    own = [one for one in every if not one.right.listed]
    listed = [one for one in every if one.right.listed and not one.right.whole]
    whole = [one for one in every if one.right.whole]
    stated = [one for one in own if one.right.stated]
    unconfirmed = [one for one in listed if one.right.told and not own]
    counted = [one for one in listed if one not in unconfirmed]
    by_mailbox, by_list = _sum(stated), _sum(counted)
    access = by_mailbox.both(by_list) if stated and counted else by_mailbox.either(by_list)
    givers = [*stated, *own, *counted, *whole]
    return Granted(
        giver=givers[0].id if givers else "",
        access=access.either(_sum(whole)),
        delegation=_delegation(own + counted),
        differ=bool(stated and counted) and by_mailbox != by_list,
        whole=bool(whole),
        unconfirmed=frozenset(one.id for one in unconfirmed),
    )


def _sum(entries: Sequence[Entry]) -> Access:
    return reduce(Access.either, (one.right.access for one in entries), NOTHING)


def _delegation(entries: Sequence[Entry]) -> Delegation | None:
    each = [one.right.delegation for one in entries if one.right.delegation is not None]
    if not each:
        return None
    return Delegation(private=any(one.private for one in each), copies=any(one.copies for one in each))
