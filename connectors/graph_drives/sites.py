"""Find the drives of an account: those of a person, or the libraries of a site.

An account whose login is a web address is a site's ("https://contoso.sharepoint.com/sites/one"), with all its
libraries; with the address of a library it is this library alone. In place of the last part of a library's
address its name is accepted, too, which is often different ("Documents" for ".../Shared%20Documents").
"""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import quote, unquote, urlsplit

from connectors.graph_api.client import GraphClient, Json, query, segment
from connectors.graph_api.errors import GraphRefusal
from model.errors import Blocked
from model.protocols import Identity, Role

MANAGED = frozenset({"sites", "teams", "personal", "portals"})
"""Below these, the next part of a path names a site; every other path belongs to the root site."""

UNPROVISIONED = frozenset({"resourcenotfound", "itemnotfound", "notfound"})
FIELDS = "id,name,webUrl,driveType"


@dataclass(frozen=True, slots=True)
class Drive:
    """Hold one drive.

    Attributes:
        id: its id.
        name: its name.
        role: FILES for the drive whose root is the target's root; None otherwise.
    """

    id: str
    name: str
    role: Role | None


def is_site(login: str) -> bool:
    """Return True if a login is the address of a site or a library."""
    return login.lower().startswith("https://")


def site_identity(client: GraphClient) -> Identity:
    """Return the id of the site, or of the drive that is the library. It has no e-mail address.

    Another site or library at the same address has another id.
    """
    return Identity("graph", _libraries(client)[0].id if _library(client.user) else _site(client))


def drives(client: GraphClient) -> list[Drive]:
    """Return the drives in Graph's order; none for a person who never opened OneDrive.

    Raises:
        Blocked: "site-missing", "library-missing".
        GraphRefusal, Transient: the server refuses, or cannot be asked now.
    """
    if is_site(client.user):
        return _libraries(client)
    try:
        own = client.get(f"{client.home}/drive", query(select=FIELDS))
    except GraphRefusal as refused:
        if refused.status == 404 and refused.code in UNPROVISIONED:
            return []
        raise
    rows = [own, *client.rows(f"{client.home}/drives", query(select=FIELDS))]
    distinct = {str(row.get("id")): row for row in reversed(rows) if row.get("id")}
    mine = str(own.get("id"))
    return [_drive(row, Role.FILES if id_ == mine else None) for id_, row in reversed(distinct.items())]


def _libraries(client: GraphClient) -> list[Drive]:
    """Return the libraries of a site, or the one at the address."""
    rows = list(client.rows(f"/sites/{segment(_site(client))}/drives", query(select=FIELDS)))
    if not _library(client.user):
        return [_drive(row, None) for row in rows]
    matches = [row for row in rows if _plain(str(row.get("webUrl") or "")) == _plain(client.user)]
    name = _library(client.user).casefold()
    matches = matches or [row for row in rows if str(row.get("name") or "").casefold() == name]
    if not matches:
        raise Blocked("library-missing", "the site has no library at this address")
    return [_drive(matches[0], Role.FILES)]


def _site(client: GraphClient) -> str:
    host, path = urlsplit(client.user).netloc.lower(), _parts(client.user)
    managed = "/".join(quote(part) for part in path[:2]) if path[:1] and path[0].lower() in MANAGED else ""
    try:
        row = client.get(f"/sites/{host}:/{managed}" if managed else f"/sites/{host}", query(select="id"))
    except GraphRefusal as refused:
        if refused.status in {400, 404}:
            raise Blocked("site-missing", "no site at this address in the tenant") from None
        raise
    id_ = str(row.get("id") or "")
    if not id_:
        raise Blocked("site-missing", "Graph gives no id of this site")
    return id_


def _library(login: str) -> str:
    """Return the part of an address beyond the site; "" for a site."""
    parts = _parts(login)
    return "/".join(parts[2:] if parts[:1] and parts[0].lower() in MANAGED else parts)


def _parts(url: str) -> list[str]:
    return [unquote(part) for part in urlsplit(url).path.split("/") if part]


def _plain(url: str) -> str:
    return f"{urlsplit(url).netloc}/{'/'.join(_parts(url))}".casefold()


def _drive(row: Json, role: Role | None) -> Drive:
    return Drive(str(row.get("id")), str(row.get("name") or "OneDrive"), role)
