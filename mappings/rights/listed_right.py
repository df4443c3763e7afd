"""Read a right from a record that an administrator's list gives.

The record's "item" has user, rights (list of str), told (bool) and denied (list of addresses).

Source:
    https://learn.microsoft.com/powershell/module/exchange/add-mailboxpermission (FullAccess),
    https://learn.microsoft.com/powershell/module/exchange/add-recipientpermission (SendAs)
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import reduce

from mappings.exchange.graph_json import record, said
from mappings.rights.levels import LEVELS, OF_FOLDER
from mappings.rights.source_right import Grantee, SourceRight
from model.folder_rights import NOTHING, Access
from model.listed_rights import ANONYMOUS, DEFAULT, FULL_ACCESS, ON_BEHALF, SEND_AS
from model.protocols import Native

WHOLE = LEVELS["PublishingEditor"]
"""What full access becomes in each folder: who has it gives nobody else rights afterwards."""
OF_MAILBOX: Mapping[str, str] = {SEND_AS: "send-as", ON_BEHALF: "send-on-behalf"}
"""Rights to a mailbox that no folder holds, each with its code."""
_EVERYBODY: Mapping[str, Grantee] = {DEFAULT: Grantee.EVERYONE, ANONYMOUS: Grantee.ANONYMOUS}


def listed_right(native: Native) -> SourceRight:
    """Return the right that a record states.

    Raises:
        Rejected: "malformed-record".
    """
    fields = record(native)["item"]
    user, names = said(fields.get("user")), fields.get("rights")
    rights = [said(name) for name in names] if isinstance(names, list) else []
    denied = fields.get("denied")
    whole = FULL_ACCESS in rights
    grantee = _EVERYBODY.get(user, Grantee.PERSON if "@" in user else Grantee.DELETED)
    return SourceRight(
        grantee,
        user if grantee is Grantee.PERSON else "",
        WHOLE if whole else reduce(Access.either, (OF_FOLDER.get(name, NOTHING) for name in rights), NOTHING),
        listed=True,
        told=fields.get("told") is True,
        whole=whole,
        left=next((OF_MAILBOX[name] for name in rights if name in OF_MAILBOX), ""),
        denied=tuple(said(one) for one in denied) if isinstance(denied, list) else (),
    )
