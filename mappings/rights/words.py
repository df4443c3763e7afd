"""Say a right in the words of a target's server: exactly, or narrower and with a loss, never wider (R17)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from mappings.losses.catalogue import lose
from model.folder_rights import READ, READ_WRITE, Access, Detail, RightsForm, Span
from model.protocols import Loss

OWN_ITEMS = lose("right", "own-items")
"""Own items alone may be edited or deleted: the target knows all items or none."""
PARTS = lose("right", "parts")
"""A part of the right has no word."""
DETAILS = lose("right", "details")
"""Times or subjects alone may be read: the target shows whole items or nothing."""


@dataclass(frozen=True, slots=True)
class SaidRight:
    """Hold a right in a server's words.

    Attributes:
        words: as `model.folder_rights.RightsForm` says them; "" if nothing of the right can be said.
        losses: what was narrowed.
    """

    words: str
    losses: tuple[Loss, ...] = ()


def said(access: Access, form: RightsForm) -> SaidRight:
    """Return a right in the words of a server.

    Args:
        access: what the person may do.
        form: the words that the server has.
    """
    return _SAYS[form](access)


def _acl(access: Access) -> SaidRight:
    """Say a right in letters; each stands for what RFC 4314 says it allows, and no letter for less.

    An owner gets "x" and "a": whoever owns a folder in Exchange may remove it and give rights to it, too.
    """
    letters = {
        "l": access.sees or access.reads is Detail.ALL,
        "rs": access.reads is Detail.ALL,
        "w": access.edits is Span.ALL,
        "ip": access.creates,
        "k": access.creates_folders,
        "te": access.deletes is Span.ALL,
        "xa": access.owns,
    }
    text = "".join(sorted("".join(name for name, has in letters.items() if has)))
    return SaidRight(text, _narrowed(access))


def _share(access: Access) -> SaidRight:
    """Say a right as a share: who writes does everything, and who reads sees all but private items."""
    losses = _narrowed(access)
    if access.reads is not Detail.ALL:
        return SaidRight("", losses)
    whole = access.creates and access.edits is Span.ALL and access.deletes is Span.ALL
    less = not whole and (access.creates or access.edits is Span.ALL or access.deletes is Span.ALL)
    if less or access.creates_folders or access.owns:
        losses = (*losses, PARTS)
    return SaidRight(READ_WRITE if whole else READ, losses)


def _narrowed(access: Access) -> tuple[Loss, ...]:
    losses = []
    if Span.OWN in (access.edits, access.deletes):
        losses.append(OWN_ITEMS)
    if access.reads in (Detail.TIMES, Detail.SUBJECTS):
        losses.append(DETAILS)
    return tuple(losses)


_SAYS: Mapping[RightsForm, Callable[[Access], SaidRight]] = {
    RightsForm.ACL: _acl,
    RightsForm.SHARE: _share,
}
