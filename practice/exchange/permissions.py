"""Write who may do what in a folder: its PermissionSet, and the caller's own rights in it."""

from __future__ import annotations

from practice.exchange.soap import boolean, escape
from practice.world.folders import Folder, Grant

_RIGHTS = ("CreateAssociated", "CreateContents", "CreateHierarchy", "Delete", "Modify", "Read")
_FLAGS = ("CanCreateItems", "CanCreateSubFolders", "IsFolderOwner", "IsFolderVisible", "IsFolderContact")

# level: the flags that are true, EditItems, DeleteItems, ReadItems
_LEVELS: dict[str, tuple[frozenset[str], str, str, str]] = {
    "None": (frozenset(), "None", "None", "None"),
    "Owner": (frozenset(_FLAGS), "All", "All", "FullDetails"),
    "Editor": (frozenset({"CanCreateItems", "IsFolderVisible"}), "All", "All", "FullDetails"),
    "Author": (frozenset({"CanCreateItems", "IsFolderVisible"}), "Owned", "Owned", "FullDetails"),
    "Reviewer": (frozenset({"IsFolderVisible"}), "None", "None", "FullDetails"),
    "FreeBusyTimeOnly": (frozenset(), "None", "None", "TimeOnly"),
    "FreeBusyTimeAndSubjectAndLocation": (frozenset(), "None", "None", "TimeAndSubjectAndLocation"),
}


def effective_rights(folder: Folder) -> str:
    """Return the owner's rights: all, but in a folder of somebody else that is shared for reading."""
    each = "".join(
        f"<t:{right}>{boolean(not folder.readonly or right == 'Read')}</t:{right}>" for right in _RIGHTS
    )
    return f"<t:EffectiveRights>{each}</t:EffectiveRights>"


def permission_set(folder: Folder, *, calendar: bool) -> str:
    """Return the PermissionSet of a folder."""
    kind = "CalendarPermission" if calendar else "Permission"
    default = "FreeBusyTimeOnly" if calendar and folder.grants else "None"
    rows = [_row(kind, _distinguished("Default"), default), _row(kind, _distinguished("Anonymous"), "None")]
    rows += [_row(kind, _user(grant), grant.level) for grant in folder.grants]
    return f"<t:PermissionSet><t:{kind}s>{''.join(rows)}</t:{kind}s></t:PermissionSet>"


def _distinguished(name: str) -> str:
    return f"<t:DistinguishedUser>{name}</t:DistinguishedUser>"


def _user(grant: Grant) -> str:
    return (
        f"<t:PrimarySmtpAddress>{escape(grant.address)}</t:PrimarySmtpAddress>"
        f"<t:DisplayName>{escape(grant.name)}</t:DisplayName>"
    )


def _row(kind: str, user: str, level: str) -> str:
    true, edit, delete, read = _LEVELS[level]
    flags = "".join(f"<t:{flag}>{boolean(flag in true)}</t:{flag}>" for flag in _FLAGS)
    return (
        f"<t:{kind}><t:UserId>{user}</t:UserId>{flags}<t:EditItems>{edit}</t:EditItems>"
        f"<t:DeleteItems>{delete}</t:DeleteItems><t:ReadItems>{read}</t:ReadItems>"
        f"<t:{kind}Level>{level}</t:{kind}Level></t:{kind}>"
    )
