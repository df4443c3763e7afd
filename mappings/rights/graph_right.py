"""Read a right from an entry of calendarPermissions in Microsoft Graph.

The record's "item" has role, isInsideOrganization, and address: "" for the whole organisation.

Source:
    https://learn.microsoft.com/graph/api/resources/calendarpermission (role, calendarRoleType)
"""

from __future__ import annotations

from collections.abc import Mapping

from mappings.exchange.graph_json import record, said
from mappings.rights.levels import LEVELS
from mappings.rights.source_right import Delegation, Grantee, SourceRight
from model.folder_rights import NOTHING, Access
from model.protocols import Native

ROLES: Mapping[str, Access] = {
    "none": NOTHING,
    "freeBusyRead": LEVELS["FreeBusyTimeOnly"],
    "limitedRead": LEVELS["FreeBusyTimeAndSubjectAndLocation"],
    "read": LEVELS["Reviewer"],
    "write": LEVELS["Editor"],
    "delegateWithoutPrivateEventAccess": LEVELS["Editor"],
    "delegateWithPrivateEventAccess": LEVELS["Editor"],
}
"""What each role allows. "custom" is not here: Graph does not say what it allows."""
DELEGATES: Mapping[str, Delegation] = {
    "delegateWithoutPrivateEventAccess": Delegation(copies=True),
    "delegateWithPrivateEventAccess": Delegation(private=True, copies=True),
}


def graph_right(native: Native) -> SourceRight:
    """Return the right that a record states.

    Raises:
        Rejected: "malformed-record".
    """
    item = record(native)["item"]
    role, address = said(item.get("role")), said(item.get("address"))
    if not address:
        grantee = Grantee.EVERYONE
    elif item.get("isInsideOrganization") is False:
        grantee = Grantee.EXTERNAL
    else:
        grantee = Grantee.PERSON
    return SourceRight(
        grantee,
        address if grantee is Grantee.PERSON else "",
        ROLES.get(role, NOTHING),
        DELEGATES.get(role),
        stated=role in ROLES,
    )
