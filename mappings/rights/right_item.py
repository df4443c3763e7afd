"""Map a right to the text in which it travels (model.folder_rights), and compare two such texts."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Callable, Mapping
from dataclasses import astuple, fields
from datetime import datetime
from typing import BinaryIO

from mappings.fields.context import Context
from mappings.losses.catalogue import lose
from mappings.rights.levels import LEVELS
from mappings.rights.source_right import Grantee, SourceRight
from mappings.rights.words import said
from model.errors import Rejected
from model.folder_rights import Access, FolderRight, right_of
from model.kinds import Kind
from model.protocols import Item, Loss, Mapped, Native, key_of

PRIVATE = lose("right", "private-items")
"""A delegate saw private items, and sees them no longer: a share keeps them from others."""
BEHALF = lose("right", "send-on-behalf")
"""A delegate might send on the owner's behalf."""
COPIES = lose("right", "meeting-copies")
"""A delegate got copies of the owner's meeting requests."""
FOLDER_LATER, PERSON_LATER = "folder-later", "person-later"
"""A right waits for its folder, or for the account of whom it is given."""
LEFT: Mapping[Grantee, str] = {
    Grantee.EVERYONE: "right-for-everyone",
    Grantee.ANONYMOUS: "right-for-everyone",
    Grantee.EXTERNAL: "right-for-outsider",
    Grantee.DELETED: "right-of-deleted",
    Grantee.DELEGATE: "send-on-behalf",
}
"""Rights that are left to the folder's owner, each with its code."""
FREE = LEVELS["FreeBusyTimeOnly"]
FREE_BUSY, EMPTY = "free-busy-for-everyone", "right-to-nothing"
UNKNOWN, UNSAID, NOT_MOVED = "right-of-unknown", "right-unsaid", "right-of-unmoved-folder"
CODES = (FOLDER_LATER, PERSON_LATER, *sorted({*LEFT.values()}), FREE_BUSY, EMPTY, UNKNOWN, UNSAID, NOT_MOVED)
"""Why a right is not written now. Each pass asks again: people, folders and servers come later."""

Reader = Callable[[Native], SourceRight]


def skip_right(_native: Native) -> None:
    """Return None: why a right does not move depends on more than its record."""
    return


def title_of(_native: Native) -> str:
    """Return "": a right has no title."""
    return ""


def mapped_by(read: Reader) -> Callable[[Native, Context], Mapped]:
    """Return the mapping of records that `read` reads."""

    def map_right(native: Native, context: Context) -> Mapped:
        return _mapped(native, read(native), context)

    return map_right


def _mapped(native: Native, right: SourceRight, context: Context) -> Mapped:
    folder = str(native.properties["Folder"])
    placed = context.places.get(folder)
    form = context.target.rights.get(placed[0]) if placed is not None else None
    if right.access.empty and right.stated and right.grantee not in (Grantee.DELETED, Grantee.DELEGATE):
        return _left(native, EMPTY)
    if right.grantee in LEFT:
        return _left(native, FREE_BUSY if _is_free_busy(right) else LEFT[right.grantee])
    if placed is None or form is None:
        waits = placed is None and native.properties["Kind"] in {kind.value for kind in context.target.rights}
        return _left(native, FOLDER_LATER if waits else NOT_MOVED)
    kind, href = placed
    words = said(right.access, form)
    losses = (*words.losses, *_delegation_losses(right))
    if not words.words:
        return _left(native, UNSAID, losses)
    address = context.addresses.get(right.address, right.address)
    people = context.people(kind, address)
    if address not in people:
        return _left(native, UNKNOWN, losses)
    who = people[address]
    if who is None:
        return _left(native, PERSON_LATER, losses)
    return Mapped(_item(native, FolderRight(kind, href, who, words.words)), losses)


def _is_free_busy(right: SourceRight) -> bool:
    """Return True for what each calendar in Exchange lets colleagues see: servers show that by themselves."""
    return right.grantee is Grantee.EVERYONE and right.access in (FREE, Access(sees=True, reads=FREE.reads))


def _delegation_losses(right: SourceRight) -> tuple[Loss, ...]:
    if right.delegation is None:
        return ()
    has = {BEHALF: True, PRIVATE: right.delegation.private, COPIES: right.delegation.copies}
    return tuple(loss for loss, lost in has.items() if lost)


def _left(native: Native, code: str, losses: tuple[Loss, ...] = ()) -> Mapped:
    return Mapped(_item(native, None), losses, left=code)


def _item(native: Native, right: FolderRight | None) -> Item:
    body = b"" if right is None else right.text().encode()
    return Item(
        kind=Kind.PERMISSIONS,
        key=key_of(native.ref.id),
        digest=hashlib.sha256(body).digest(),
        size=len(body),
        body=lambda: io.BytesIO(body),
    )


def right_digest(stream: BinaryIO, _moment: datetime | None = None) -> bytes:
    """Return the digest of a right's text.

    Raises:
        Rejected: "malformed-record" if it is no right.
    """
    return hashlib.sha256(_parsed(stream).text().encode()).digest()


def right_differing(one: BinaryIO, other: BinaryIO, _moment: datetime) -> tuple[str, ...]:
    """Return the names of the parts in which two rights differ."""
    pairs = zip(fields(FolderRight), astuple(_parsed(one)), astuple(_parsed(other)), strict=True)
    return tuple(part.name for part, mine, theirs in pairs if mine != theirs)


def _parsed(stream: BinaryIO) -> FolderRight:
    try:
        return right_of(stream.read().decode())
    except ValueError:
        raise Rejected("malformed-record", "it is no right") from None
