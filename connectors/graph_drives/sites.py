"""Which drives an account has: those of a person, or the libraries of a site.

An account whose login is a web address is a site's ("https://contoso.sharepoint.com/sites/one"), with all its
libraries; with the address of a library it is that one alone. In place of the last part of a library's
address its name may stand, which is often another ("Documents" of ".../Shared%20Documents").
"""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import quote, unquote, urlsplit

from connectors.graph_api.client import GraphClient, Json, query, segment
from connectors.graph_api.errors import GraphRefusal
from model.errors import Blocked
from model.protocols import Identity, Role

MANAGED = frozenset({"sites", "teams", "personal", "portals"})
"""Below these, the next part of a path names a site; all else lies in the root site."""

UNPROVISIONED = frozenset({"resourcenotfound", "itemnotfound", "notfound"})
FIELDS = "id,name,webUrl,driveType"


@dataclass(frozen=True, slots=True)
class Drive:
    """role: FILES of the one whose root is the target's root."""

    id: str
    name: str
    role: Role | None


def is_site(login: str) -> bool:
    return login.lower().startswith("https://")


def site_identity(client: GraphClient) -> Identity:
    """By the id of the site, or of the drive that is the library, which another of the same address does not
    have. It has no address of mail."""
    return Identity("graph", _libraries(client)[0].id if _library(client.user) else _site(client))


def drives(client: GraphClient) -> list[Drive]:
    """In the order in which Graph lists them; none of a person who never opened OneDrive."""
    if is_site(client.user):
        return _libraries(client)
    try:
        own = client.get(f"{client.home}/drive", query(select=FIELDS))
    except GraphRefusal as refused:
        if refused.status == 404 and refused.code in UNPROVISIONED:
            return []
        raise
    found = [own, *client.rows(f"{client.home}/drives", query(select=FIELDS))]
    distinct = {str(row.get("id")): row for row in reversed(found) if row.get("id")}
    mine = str(own.get("id"))
    return [_drive(row, Role.FILES if id_ == mine else None) for id_, row in reversed(distinct.items())]


def _libraries(client: GraphClient) -> list[Drive]:
    rows = list(client.rows(f"/sites/{segment(_site(client))}/drives", query(select=FIELDS)))
    if not _library(client.user):
        return [_drive(row, None) for row in rows]
    wanted = [row for row in rows if _plain(str(row.get("webUrl") or "")) == _plain(client.user)]
    name = _library(client.user).casefold()
    wanted = wanted or [row for row in rows if str(row.get("name") or "").casefold() == name]
    if not wanted:
        raise Blocked("library-missing", "the site has no library at this address")
    return [_drive(wanted[0], Role.FILES)]


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
    """What the address says beyond the site; "" for a site."""
    parts = _parts(login)
    return "/".join(parts[2:] if parts[:1] and parts[0].lower() in MANAGED else parts)


def _parts(url: str) -> list[str]:
    return [unquote(part) for part in urlsplit(url).path.split("/") if part]


def _plain(url: str) -> str:
    return f"{urlsplit(url).netloc}/{'/'.join(_parts(url))}".casefold()


def _drive(row: Json, role: Role | None) -> Drive:
    return Drive(str(row.get("id")), str(row.get("name") or "OneDrive"), role)
