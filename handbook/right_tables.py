"""Write the tables of rights in docs/fidelity.md: what each of Exchange's rights becomes at a target.

Every row is a record that the mappings read and map, as they do in a migration.
"""

from __future__ import annotations

import io
import json
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime

from handbook.score_tables import table_rows
from mappings.fields.context import Context
from mappings.fields.ews_xml import SPACES
from mappings.registry import ITEM_FORMS
from mappings.rights.graph_right import ROLES
from mappings.rights.levels import LEVELS
from model.folder_rights import RightsForm, right_of
from model.kinds import Kind
from model.protocols import Capabilities, Mapped, Native, Ref

_FOLDER = "folder"
_COLLEAGUE = "colleague@example.org"
_NOW = datetime(2026, 1, 31, tzinfo=UTC)
_FORMS: Mapping[RightsForm, Kind] = {RightsForm.ACL: Kind.MAIL, RightsForm.SHARE: Kind.CALENDAR}
"""What the folder of the table holds, by the words of its server."""
_ACL_HEAD = ("IMAP's ACL", "Lost")
_SHARE_HEAD = ("Nextcloud's share", "Lost")
_READS = "<t:ReadItems>FullDetails</t:ReadItems>"
_SINGLE: Mapping[str, str] = {
    "IsFolderVisible": "true",
    **{f"ReadItems {value}": value for value in ("TimeOnly", "TimeAndSubjectAndLocation", "FullDetails")},
    "CanCreateItems": "true",
    "CanCreateSubFolders": "true",
    **{f"{name} {value}": value for name in ("EditItems", "DeleteItems") for value in ("Owned", "All")},
    "IsFolderOwner": "true",
    "IsFolderContact": "true",
}
"""The value of a single right, by what the table calls it: the element, and the value if it has several."""
_WRITES = ("CanCreateItems", "EditItems All", "DeleteItems All")
_DELEGATES: Mapping[str, str] = {
    "who may edit the calendar": "",
    "who sees private items": "<t:ViewPrivateItems>true</t:ViewPrivateItems>",
    "who gets copies of meeting requests": (
        "<t:ReceiveCopiesOfMeetingMessages>true</t:ReceiveCopiesOfMeetingMessages>"
    ),
}


def level_table() -> str:
    """Return what each level of EWS becomes, as Markdown."""
    rows = [
        (f"`{name}`", *(cell for form in _FORMS for cell in _cells(_permission("", name), form)))
        for name in LEVELS
    ]
    return "\n".join(table_rows("Levels of rights", ("Level", *_ACL_HEAD, *_SHARE_HEAD), rows))


def single_table() -> str:
    """Return what the single rights of EWS's level "Custom" become, as Markdown."""
    rows = [_single(f"`{name}`", _element(name)) for name in _SINGLE]
    together = " and ".join(f"`{name}`" for name in _WRITES)
    rows.append(_single(together, "".join(map(_element, _WRITES))))
    head = ("Right in EWS", *_ACL_HEAD, f"{_SHARE_HEAD[0]}, beside `ReadItems FullDetails`", _SHARE_HEAD[1])
    return "\n".join(table_rows("Single rights of the level Custom", head, rows))


def role_table() -> str:
    """Return what each role of Graph becomes, as Markdown. Graph states rights to calendars alone."""
    rows = [(f"`{name}`", *_cells(name, RightsForm.SHARE, graph=True)) for name in (*ROLES, "custom")]
    return "\n".join(table_rows("Roles in Microsoft 365", ("Role", *_SHARE_HEAD), rows))


def delegate_table() -> str:
    """Return what becomes of a delegate's right to the calendar in Exchange, as Markdown."""
    rows = [
        (name, _permission("", "Editor") + f"<t:DelegateUser>{one}</t:DelegateUser>")
        for name, one in _DELEGATES.items()
    ]
    rows.append(("without a right to the calendar", "<t:DelegateUser></t:DelegateUser>"))
    cells = [(name, *_cells(record, RightsForm.SHARE)) for name, record in rows]
    return "\n".join(table_rows("Delegates", ("Delegate", *_SHARE_HEAD), cells))


def _single(name: str, elements: str) -> tuple[str, ...]:
    beside = elements if "ReadItems" in elements else _READS + elements
    acl = _cells(_permission(elements), RightsForm.ACL)
    return name, *acl, *_cells(_permission(beside), RightsForm.SHARE)


def _element(name: str) -> str:
    tag = name.partition(" ")[0]
    return f"<t:{tag}>{_SINGLE[name]}</t:{tag}>"


def _permission(single: str, level: str = "Custom") -> str:
    """Return the element of what a colleague may do. Entries of other folders are read in the same way."""
    user = f"<t:UserId><t:PrimarySmtpAddress>{_COLLEAGUE}</t:PrimarySmtpAddress></t:UserId>"
    named = f"<t:CalendarPermissionLevel>{level}</t:CalendarPermissionLevel>"
    return f"<t:CalendarPermission>{user}{single}{named}</t:CalendarPermission>"


def _cells(record: str, form: RightsForm, *, graph: bool = False) -> tuple[str, str]:
    """Return the words of a right, and what is lost."""
    mapped = _mapped(record, form, graph=graph)
    return _words(mapped), ", ".join(f"`{loss.reason}`" for loss in mapped.losses)


def _words(mapped: Mapped) -> str:
    if mapped.left:
        return f"none: `{mapped.left}`"
    with mapped.item.body() as stream:
        return f"`{right_of(stream.read().decode()).words}`"


def _mapped(record: str, form: RightsForm, *, graph: bool) -> Mapped:
    return ITEM_FORMS[Kind.PERMISSIONS].map(_native(record, _FORMS[form], graph=graph), _context(form))


def _native(record: str, kind: Kind, *, graph: bool) -> Native:
    if graph:
        body = json.dumps({"item": {"role": record, "address": _COLLEAGUE, "isInsideOrganization": True}})
    else:
        spaces = " ".join(f'xmlns:{name}="{space}"' for name, space in SPACES.items())
        body = f"<m:Items {spaces}>{record}</m:Items>"
    ref = Ref("right", "")
    properties = {"Folder": _FOLDER, "Kind": kind.value}
    return Native(ref, "graph-right" if graph else "ews-right", properties, lambda: io.BytesIO(body.encode()))


def _context(form: RightsForm) -> Context:
    kind = _FORMS[form]
    plain = Context(Capabilities(frozenset({Kind.PERMISSIONS}), rights={kind: form}), _NOW, _NOW)
    return replace(plain, places={_FOLDER: (kind, "")}, people=lambda _kind, address: {address: address})
