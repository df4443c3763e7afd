"""Map a right to the text in which it travels (model.folder_rights), and compare two such texts."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Iterator, Mapping
from dataclasses import astuple, fields, replace
from datetime import datetime
from typing import BinaryIO

from mappings.fields.context import Context
from mappings.losses.catalogue import lose
from mappings.rights.levels import LEVELS, level_of
from mappings.rights.listed_right import OF_MAILBOX
from mappings.rights.one_person import Entry, granted
from mappings.rights.readers import read_right, rights_beside
from mappings.rights.source_right import Delegation, Grantee, SourceRight
from mappings.rights.words import PARTS, said
from model.errors import Rejected
from model.folder_rights import Access, FolderRight, RightsForm, right_of
from model.kinds import Kind
from model.protocols import Item, Loss, Mapped, Native, key_of

PRIVATE = lose("right", "private-items")
"""A delegate saw private items, and sees them no longer: a share keeps them from others."""
BEHALF = lose("right", "send-on-behalf")
"""A delegate might send on the owner's behalf."""
COPIES = lose("right", "meeting-copies")
"""A delegate got copies of the owner's meeting requests."""
DIFFER = lose("right", "sources-differ")
"""The list of rights and the mailbox say different things: what both allow is given."""
FOLDER_LATER, PERSON_LATER = "folder-later", "person-later"
"""A right waits for its folder, or for the account of whom it is given."""
LEFT: Mapping[Grantee, str] = {
    Grantee.EVERYONE: "right-for-everyone",
    Grantee.ANONYMOUS: "right-for-everyone",
    Grantee.EXTERNAL: "right-for-outsider",
    Grantee.DELETED: "right-of-deleted",
    Grantee.DELEGATE: "send-on-behalf",
    Grantee.UNTOLD: "rights-untold",
}
"""Rights that are left to the folder's owner, each with its code."""
NO_ACCESS = frozenset({Grantee.DELETED, Grantee.DELEGATE, Grantee.UNTOLD})
"""Of these it is not said what they may do."""
FREE = LEVELS["FreeBusyTimeOnly"]
FREE_BUSY, EMPTY = "free-busy-for-everyone", "right-to-nothing"
UNKNOWN, UNSAID, NOT_MOVED = "right-of-unknown", "right-unsaid", "right-of-unmoved-folder"
NAMED_TWICE, UNCONFIRMED, DENIED, OWNER = (
    "right-named-twice",
    "right-not-at-source",
    "right-denied",
    "right-of-owner",
)
CODES = (
    *(FOLDER_LATER, PERSON_LATER, *sorted({*LEFT.values(), *OF_MAILBOX.values()})),
    *(FREE_BUSY, EMPTY, UNKNOWN, UNSAID, NOT_MOVED),
    *(NAMED_TWICE, UNCONFIRMED, DENIED, OWNER),
)
"""Why a right is not written now. Each pass asks again: people, folders and servers come later."""


def skip_right(_native: Native) -> None:
    """Return None: why a right does not move depends on more than its record."""
    return


def title_of(native: Native) -> str:
    """Return who has a right, and its level: its owner gave it no title.

    Raises:
        Rejected: "malformed-record".
    """
    right = read_right(native)
    who = right.address or right.grantee
    if right.whole or right.left:
        return f"{who}: {'full access' if right.whole else right.left}"
    return f"{who}: {level_of(right.access) if right.stated else 'not told'}"


def map_right(native: Native, context: Context) -> Mapped:
    """Map a right, with its losses, or say by which code it is left.

    A person who has several entries to a folder gets one right, by the first of them; see
    mappings.rights.one_person.

    Raises:
        Rejected: "malformed-record".
    """
    right = read_right(native)
    folder = str(native.properties["Folder"])
    placed = context.places.get(folder)
    form = context.target.rights.get(placed[0]) if placed is not None else None
    if code := _left_alone(right):
        return _left(native, code)
    if placed is None or form is None:
        waits = placed is None and native.properties["Kind"] in {kind.value for kind in context.target.rights}
        return _left(native, FOLDER_LATER if waits else NOT_MOVED)
    kind, href = placed
    people = _People(context, kind)
    if right.listed and people.address(right) in context.owner:
        return _left(native, OWNER)
    who = people.name(right)
    if who is None:
        return _left(native, UNSAID if not said(right.access, form).words else people.missing(right))
    return _given(native, right, FolderRight(kind, href, who, ""), form, people)


def _left_alone(right: SourceRight) -> str:
    """Return the code by which a right is left, whoever it is given to and wherever; "" for none."""
    if right.left:
        return right.left
    if right.access.empty and right.stated and right.grantee not in NO_ACCESS:
        return EMPTY
    if right.grantee in LEFT:
        return FREE_BUSY if _is_free_busy(right) else LEFT[right.grantee]
    return ""


class _People:
    """Say who people are at the server that holds a folder's items; each is asked about once."""

    def __init__(self, context: Context, kind: Kind) -> None:
        self._context = context
        self._kind = kind
        self._asked: dict[str, Mapping[str, str | None]] = {}

    def address(self, right: SourceRight) -> str:
        return self._context.addresses.get(right.address, right.address)

    def name(self, right: SourceRight) -> str | None:
        """Return the person's name; None if nobody has it yet, or nobody knows the person."""
        return self._found(self.address(right)).get(self.address(right))

    def missing(self, right: SourceRight) -> str:
        """Return the code of a person without a name."""
        return PERSON_LATER if self.address(right) in self._found(self.address(right)) else UNKNOWN

    def denies(self, right: SourceRight, who: str) -> bool:
        """Return True if a denial names the person, or somebody of whom nobody knows who it is.

        A denial of a group is one for each of its members, and nobody expanded it.
        """
        addresses = (self._context.addresses.get(one, one) for one in right.denied)
        return any(self._found(one).get(one, who) == who for one in addresses)

    def _found(self, address: str) -> Mapping[str, str | None]:
        if address not in self._asked:
            self._asked[address] = self._context.people(self._kind, address)
        return self._asked[address]


def _given(
    native: Native, right: SourceRight, named: FolderRight, form: RightsForm, people: _People
) -> Mapped:
    """Return what a person gets by this entry: all that the person has there, or nothing."""
    if people.denies(right, named.who):
        return _left(native, DENIED)
    own = Entry(native.ref.id, right)
    sum_ = granted([own, *_of_the_same(rights_beside(native), named.who, people)])
    if own.id in sum_.unconfirmed:
        return _left(native, UNCONFIRMED)
    if own.id != sum_.giver:
        return _left(native, NAMED_TWICE)
    words = said(sum_.access, form)
    hidden = _hidden(form) if sum_.whole else ()
    differ = (DIFFER,) if sum_.differ else ()
    losses = tuple(dict.fromkeys((*words.losses, *_delegation_losses(sum_.delegation), *hidden, *differ)))
    if not words.words:
        return _left(native, UNSAID, losses)
    return Mapped(_item(native, replace(named, words=words.words)), losses)


def _hidden(form: RightsForm) -> tuple[Loss, ...]:
    """Return what full access allowed, and no right to folders does."""
    return (PARTS, PRIVATE) if form is RightsForm.SHARE else (PARTS,)


def _of_the_same(beside: Iterator[Entry], who: str, people: _People) -> Iterator[Entry]:
    """Yield those of the other entries that name the same person, and are not left by themselves."""
    for one in beside:
        right = one.right
        counts = right.grantee is Grantee.PERSON and not right.left
        if counts and people.name(right) == who and not people.denies(right, who):
            yield one


def _is_free_busy(right: SourceRight) -> bool:
    """Return True for what each calendar in Exchange lets colleagues see: servers show that by themselves."""
    return right.grantee is Grantee.EVERYONE and right.access in (FREE, Access(sees=True, reads=FREE.reads))


def _delegation_losses(delegation: Delegation | None) -> tuple[Loss, ...]:
    if delegation is None:
        return ()
    has = {BEHALF: True, PRIVATE: delegation.private, COPIES: delegation.copies}
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
