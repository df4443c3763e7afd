"""Tell what an account's owner has from what is in the account because a colleague invited them.

Where one event is everybody's who is invited, the meetings of colleagues stand in a person's calendar before
anything of the person's has moved. They say nothing about whose account it is, or whether it is in use.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Final

from model.optional_protocols import ListsWhole, ReadsLinks
from model.protocols import Listed, Native, Target

BATCH: Final = 50


def own_items(target: Target, href: str) -> Iterator[Listed]:
    """Return everything that an account's owner has in a container, as far as the target can tell it.

    Args:
        target: the open target.
        href: the container.
    """
    if isinstance(target, ListsWhole):
        return target.whole(href)
    if not target.capabilities.shares_events:
        return target.listing(href)
    return _without_invitations(target, href)


def invitations_among(target: Target, container: str, hrefs: Sequence[str]) -> set[str]:
    """Return those of these items that are there because somebody else invited the account's owner.

    Where a server gives everybody a copy, there are none: a copy is its owner's. What cannot be read is no
    invitation.

    Args:
        target: the open target.
        container: the folder.
        hrefs: the items.
    """
    if not hrefs or not target.capabilities.shares_events:
        return set()
    from mappings.compare.shared_meeting import is_invitation  # late: few servers share events

    owner = target.identity().addresses
    invitations: set[str] = set()
    # what is attached says nothing about who invited, and a file that cannot be had must hold up nobody
    read = target.read_links if isinstance(target, ReadsLinks) else target.read
    for href, result in read(container, hrefs):
        if isinstance(result, Native) and result.body is not None:
            with result.body() as stream:
                if is_invitation(stream, owner):
                    invitations.add(href)
    return invitations


def _without_invitations(target: Target, container: str) -> Iterator[Listed]:
    remaining = target.listing(container)
    while batch := tuple(islice(remaining, BATCH)):
        invitations = invitations_among(target, container, [item.href for item in batch])
        yield from (item for item in batch if item.href not in invitations)
