"""Read a right from the element that EWS answers to GetFolder: one entry of a folder's PermissionSet.

The record's elements: <t:Permission>, <t:CalendarPermission> or <t:UnknownEntry>; and after it, in the
calendar of the owner, <t:DelegateUser> if the person is one of the owner's delegates. A person may have
several entries: what one of them allows is allowed. <t:UntoldRights> stands for a folder whose rights the
server did not tell.

Source:
    https://learn.microsoft.com/exchange/client-developer/web-service-reference/permissionset-permissionsettype,
    types.xsd (BasePermissionType, PermissionType, CalendarPermissionType, UserIdType, DelegateUserType)
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import reduce

from mappings.fields.ews_xml import Element, child, flag, items, kind, text
from mappings.rights.levels import LEVELS
from mappings.rights.source_right import Delegation, Grantee, SourceRight
from model.folder_rights import Access, Detail, Span
from model.protocols import Native

_SPANS: Mapping[str, Span] = {"None": Span.NONE, "Owned": Span.OWN, "All": Span.ALL}
_DETAILS: Mapping[str, Detail] = {
    "None": Detail.NOTHING,
    "TimeOnly": Detail.TIMES,
    "TimeAndSubjectAndLocation": Detail.SUBJECTS,
    "FullDetails": Detail.ALL,
}
_FOLDERS = ("t:CanCreateSubFolders", "t:CanCreateSubfolders")
"""Servers and the schema have the first, documents the second."""
_DISTINGUISHED: Mapping[str, Grantee] = {"Default": Grantee.EVERYONE, "Anonymous": Grantee.ANONYMOUS}


def ews_right(native: Native) -> SourceRight:
    """Return the right that a record states; of several entries of one person, all together.

    Raises:
        Rejected: "malformed-record".
    """
    entry, *more = every = items(native)
    if kind(entry) == "UnknownEntry":
        return SourceRight(Grantee.DELETED)
    if kind(entry) == "UntoldRights":
        return SourceRight(Grantee.UNTOLD)
    if kind(entry) == "DelegateUser":
        return SourceRight(Grantee.DELEGATE, delegation=_delegation(entry))
    delegate = next((one for one in more if kind(one) == "DelegateUser"), None)
    grantee, address = _grantee(entry)
    accesses = (_access(one) for one in every if kind(one) != "DelegateUser")
    access = reduce(Access.either, accesses)
    return SourceRight(grantee, address, access, None if delegate is None else _delegation(delegate))


def _grantee(entry: Element) -> tuple[Grantee, str]:
    distinguished = text(entry, "t:UserId/t:DistinguishedUser").strip()
    if distinguished:
        return _DISTINGUISHED.get(distinguished, Grantee.EVERYONE), ""
    if text(entry, "t:UserId/t:ExternalUserIdentity").strip():
        return Grantee.EXTERNAL, ""
    address = text(entry, "t:UserId/t:PrimarySmtpAddress").strip().lower()
    return Grantee.PERSON, address


def _access(entry: Element) -> Access:
    """Return what is allowed by the level and by each stated single right: what both allow.

    A server may name a level "Custom" that is a known one, and leave out single rights.
    """
    level = text(entry, "t:PermissionLevel").strip() or text(entry, "t:CalendarPermissionLevel").strip()
    by_level = LEVELS.get(level)
    if by_level is None:
        return _stated(entry, Access())
    whole = Access(True, Detail.ALL, True, True, Span.ALL, Span.ALL, True)
    return by_level.both(_stated(entry, whole))


def _stated(entry: Element, missing: Access) -> Access:
    """Return the single rights; for one that is not stated, that of `missing`."""
    words = [text(entry, name).strip() for name in ("t:EditItems", "t:DeleteItems", "t:ReadItems")]
    edits, deletes, reads = words
    folders = _FOLDERS[child(entry, _FOLDERS[0]) is None]
    return Access(
        sees=_flag(entry, "t:IsFolderVisible", missing.sees),
        reads=_DETAILS.get(reads, Detail.NOTHING) if reads else missing.reads,
        creates=_flag(entry, "t:CanCreateItems", missing.creates),
        creates_folders=_flag(entry, folders, missing.creates_folders),
        edits=_SPANS.get(edits, Span.NONE) if edits else missing.edits,
        deletes=_SPANS.get(deletes, Span.NONE) if deletes else missing.deletes,
        owns=_flag(entry, "t:IsFolderOwner", missing.owns),
    )


def _flag(entry: Element, name: str, missing: bool) -> bool:
    return missing if child(entry, name) is None else flag(entry, name)


def _delegation(delegate: Element) -> Delegation:
    return Delegation(
        private=flag(delegate, "t:ViewPrivateItems"),
        copies=flag(delegate, "t:ReceiveCopiesOfMeetingMessages"),
    )
