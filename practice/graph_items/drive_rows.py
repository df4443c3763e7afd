"""Write what Graph states of a drive, an item, a version and a permission."""

from __future__ import annotations

import mimetypes
import uuid
from datetime import datetime
from urllib.parse import quote

from practice.drive.drive import Drive, Form, Node
from practice.drive.drive_shares import Grantee, Party, Permission, Scope
from practice.graph.users import user_id
from practice.graph.wire import Json, instant
from practice.harness.dice import digest
from practice.world.people import Directory, Person

DELETED_DATE = "0001-01-01T00:00:00Z"
TENANT = "practice.onmicrosoft.example"


def drive_row(drive: Drive, seed: int) -> Json:
    """Return a drive."""
    kind = "business" if drive.owner else "documentLibrary"
    owner: Json = {"group": {"displayName": "Besitzer", "id": digest(drive.id, "group").hex()}}
    if drive.owner:
        owner = {"user": _user(drive.owner, seed)}
    return {
        "createdDateTime": instant(drive.root.created),
        "description": "",
        "id": drive.id,
        "lastModifiedDateTime": instant(drive.root.modified),
        "name": drive.name,
        "webUrl": drive.web,
        "driveType": kind,
        "owner": owner,
        "quota": {
            "deleted": 0,
            "remaining": 1_099_511_627_776 - drive.root.size,
            "state": "normal",
            "total": 1_099_511_627_776,
            "used": drive.root.size,
        },
    }


def item_row(drive: Drive, node: Node, *, listed: bool = False) -> Json:
    """Return an item.

    Args:
        drive: holds it.
        node: the item.
        listed: True for a delta's row, without what only a request for the item itself gives.
    """
    row: Json = {
        "id": node.id,
        "name": node.name,
        "size": node.size,
        "createdDateTime": instant(node.created),
        "lastModifiedDateTime": instant(node.modified),
        "eTag": etag(node),
        "webUrl": web_of(drive, node),
        "fileSystemInfo": {
            "createdDateTime": precise(node.created),
            "lastModifiedDateTime": precise(node.modified),
        },
        "parentReference": _parent(drive, node, listed=listed),
        **_facets(node),
    }
    if not listed:
        row["cTag"] = f'"c:{{{node.guid}}},{node.version}"'
    return row


def deleted_row(drive: Drive, node: Node, *, parent: bool) -> Json:
    """Return what delta states of an item that is gone: neither its name nor its dates.

    Args:
        drive: held it.
        node: the item.
        parent: True if the row states where it was.
    """
    reference: Json = {"driveType": _type(drive), "driveId": drive.id}
    if parent and node.parent is not None:
        reference["id"] = node.parent.id
    row: Json = {
        "id": node.id,
        "size": 0,
        "createdDateTime": DELETED_DATE,
        "lastModifiedDateTime": DELETED_DATE,
        "parentReference": reference,
        "deleted": {"state": "deleted"},
    }
    return row | ({"file": {}} if node.form is Form.FILE else {"folder": {"childCount": 0}})


def etag(node: Node) -> str:
    """Return an item's ETag."""
    return f'"{{{node.guid}}},{node.revision}"'


def web_of(drive: Drive, node: Node) -> str:
    """Return an item's address in a browser."""
    return "/".join((drive.web, *(quote(name) for name in node.path)))


def precise(moment: datetime) -> str | None:
    """Return a moment with milliseconds, if there are some."""
    text = instant(moment)
    return f"{text[:-1]}.{moment.microsecond // 1000:03d}Z" if text and moment.microsecond else text


def _facets(node: Node) -> Json:
    found: Json = {"root": {}} if node.parent is None else {}
    if node.form is Form.FOLDER:
        found["folder"] = {"childCount": len(node.children)}
    elif node.form is Form.NOTEBOOK:
        found["package"] = {"type": "oneNote"}
    elif node.form is Form.SHORTCUT:
        far = digest(node.id, "far").hex()
        found["remoteItem"] = {"id": far, "name": node.name, "folder": {"childCount": 3}}
    else:
        mime = mimetypes.guess_type(node.name)[0] or "application/octet-stream"
        found["file"] = {"mimeType": mime}
        if node.quickxor:
            found["file"] = {"mimeType": mime, "hashes": {"quickXorHash": node.quickxor}}
    if node.infected:
        found["malware"] = {"description": "Practice/EICAR"}
    return found


def _parent(drive: Drive, node: Node, *, listed: bool) -> Json:
    found: Json = {"driveType": _type(drive), "driveId": drive.id}
    if node.parent is not None:
        found["id"] = node.parent.id
        found["name"] = node.parent.name
        if not listed:
            above = "".join(f"/{quote(name)}" for name in node.parent.path)
            found["path"] = f"/drives/{drive.id}/root:{above}"
    return found


def _type(drive: Drive) -> str:
    return "business" if drive.owner else "documentLibrary"


def version_rows(node: Node) -> list[Json]:
    """Return the versions, the newest first, which is the file itself."""
    states = [(node.version, node.content.size, node.modified)]
    states += [
        (one.number, one.content.size if one.stated is None else one.stated, one.modified)
        for one in node.older
    ]
    return [
        {"id": f"{number}.0", "lastModifiedDateTime": instant(modified), "size": size}
        for number, size, modified in states
    ]


def shared_facet(node: Node, *, inherited: bool) -> Json | None:
    """Return the scope of the shares; None if it is not shared.

    Args:
        node: the item.
        inherited: True to count also what is shared above.
    """
    own = list(node.shares)
    if inherited:
        own += [share for folder in node.heritage() for share in folder.shares]
    if not own and not node.alone:
        return None
    scopes = [share.link.scope for share in own if share.link is not None]
    return {"scope": next((one.value for one in Scope if one in scopes), Scope.USERS.value)}


def permission_rows(drive: Drive, node: Node, people: Directory) -> list[Json]:
    """Return an item's own permissions, those of the folders above, and the owner's."""
    rows = [_permission(node, at, share, people) for at, share in enumerate(node.shares)]
    for folder in node.heritage():
        source: Json = {"driveId": drive.id, "id": folder.id, "path": "/drive/root:"}
        rows += [
            {**_permission(folder, at, share, people), "inheritedFrom": source}
            for at, share in enumerate(folder.shares)
        ]
    owner: Json = {"id": digest(drive.id, "owner").hex(), "roles": ["owner"]}
    if drive.owner:
        owner["grantedToV2"] = {"user": _user(drive.owner, people.seed)}
    else:
        owner["grantedToV2"] = {"siteGroup": {"id": "3", "displayName": "Besitzer", "loginName": "Besitzer"}}
    owner["inheritedFrom"] = {}
    return [*rows, owner]


def _user(person: Person, seed: int) -> Json:
    return {"id": user_id(seed, person.index), "displayName": person.name, "email": person.address}


def _object_id(to: Grantee, people: Directory) -> str:
    try:
        return user_id(people.seed, people.find(to.address).index)
    except KeyError:  # no one of this tenant
        return str(uuid.UUID(bytes=digest(to.name, to.address)))


def _permission(node: Node, at: int, share: Permission, people: Directory) -> Json:
    row: Json = {"id": digest(node.id, at).hex(), "roles": list(share.roles)}
    if share.to is not None:
        row["grantedToV2"] = identity(share.to, people)
    if share.link is not None:
        kind = "edit" if share.link.edit else "view"
        row["link"] = {
            "scope": share.link.scope.value,
            "type": kind,
            "webUrl": f"https://{TENANT}/:x:/g/{digest(node.id, at, 'link').hex()}",
            "preventsDownload": False,
        }
        row["hasPassword"] = share.password
        row["grantedToIdentitiesV2"] = [identity(one, people) for one in share.link.to]
    if share.expires is not None:
        row["expirationDateTime"] = instant(share.expires)
    return row


def identity(to: Grantee, people: Directory) -> Json:
    """Return a sharePointIdentitySet."""
    number, id_ = str(digest(to.name, "number")[0]), to.id or _object_id(to, people)
    if to.party is Party.SITE_GROUP:
        return {"siteGroup": {"id": number, "displayName": to.name, "loginName": to.name}}
    if to.party is Party.GROUP:
        group: Json = {"id": id_, "displayName": to.name, **({"email": to.address} if to.address else {})}
        login = f"c:0t.c|tenant|{id_}"
        return {"group": group, "siteUser": {"id": number, "displayName": to.name, "loginName": login}}
    login = to.address
    if to.party is Party.GUEST:
        login = f"{to.address.replace('@', '_')}#ext#@{TENANT}"
    mail: Json = {"email": to.address} if to.mail else {}
    site: Json = {"id": number, "displayName": to.name, "loginName": f"i:0#.f|membership|{login}", **mail}
    return {"user": {"id": id_, "displayName": to.name, **mail}, "siteUser": site}
