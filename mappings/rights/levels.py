"""Say what Exchange's permission levels mean. This is the one place that knows them.

Source:
    https://learn.microsoft.com/exchange/client-developer/web-service-reference/permissionlevel
    https://learn.microsoft.com/exchange/client-developer/web-service-reference/calendarpermissionlevel
    https://learn.microsoft.com/powershell/module/exchange/add-mailboxfolderpermission (roles, single rights)
"""

from __future__ import annotations

from collections.abc import Mapping

from model.folder_rights import NOTHING, Access, Detail, Span

LEVELS: Mapping[str, Access] = {
    "None": NOTHING,
    "Owner": Access(True, Detail.ALL, True, True, Span.ALL, Span.ALL, True),
    "PublishingEditor": Access(True, Detail.ALL, True, True, Span.ALL, Span.ALL),
    "Editor": Access(True, Detail.ALL, True, False, Span.ALL, Span.ALL),
    "PublishingAuthor": Access(True, Detail.ALL, True, True, Span.OWN, Span.OWN),
    "Author": Access(True, Detail.ALL, True, False, Span.OWN, Span.OWN),
    "NoneditingAuthor": Access(True, Detail.ALL, True, False, Span.NONE, Span.OWN),
    "Reviewer": Access(True, Detail.ALL),
    "Contributor": Access(True, Detail.NOTHING, True),
    "FreeBusyTimeOnly": Access(False, Detail.TIMES),
    "FreeBusyTimeAndSubjectAndLocation": Access(False, Detail.SUBJECTS),
    "AvailabilityOnly": Access(False, Detail.TIMES),
    "LimitedDetails": Access(False, Detail.SUBJECTS),
}
"""By the name of the level in EWS; the last two are PowerShell's. Of "Custom" the single rights count."""
SINGLE: Mapping[str, Access] = {
    "CreateItems": Access(creates=True),
    "CreateSubfolders": Access(creates_folders=True),
    "DeleteAllItems": Access(deletes=Span.ALL),
    "DeleteOwnedItems": Access(deletes=Span.OWN),
    "EditAllItems": Access(edits=Span.ALL),
    "EditOwnedItems": Access(edits=Span.OWN),
    "FolderContact": NOTHING,
    "FolderOwner": Access(sees=True, creates_folders=True, owns=True),
    "FolderVisible": Access(sees=True),
    "ReadItems": Access(reads=Detail.ALL),
}
"""What each single right allows that PowerShell names."""
OF_FOLDER: Mapping[str, Access] = {**LEVELS, **SINGLE}
"""What PowerShell may name as a right to a folder."""


def level_of(access: Access) -> str:
    """Return the name of a level; "Custom" if the single rights are none of them."""
    return next((name for name, own in LEVELS.items() if own == access), "Custom")
