"""Answer about drives over Graph: GraphServer(world, services=[GraphDrives(...)]).

With app-only permissions a drive is read by its id, a site by its host and path. Delta gives the latest state
of each item once or more, by id: the path of what lies below a renamed folder changes without a row.
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from urllib.parse import unquote

from starlette.routing import Route as WebRoute

from practice.drive.drive import Drive, Form, Node
from practice.drive.drives import Drives
from practice.drive.sites import HOST, Site
from practice.exchange.wire import Reply
from practice.graph.context import Context, Route
from practice.graph.errors import GraphError, bad_request
from practice.graph.query import linked, paged
from practice.graph.units import Units
from practice.graph.users import find_user
from practice.graph.wire import Json
from practice.graph_items.downloads import Downloads
from practice.graph_items.drive_rows import (
    deleted_row,
    drive_row,
    item_row,
    permission_rows,
    shared_facet,
    version_rows,
)

NEEDS = frozenset({"Files.Read.All", "Sites.Read.All"})
PAGE = 200
URL = "@microsoft.graph.downloadUrl"
SHARING = "hierarchicalsharing"


def missing() -> GraphError:
    """Return the 404 of drives."""
    return GraphError(404, "itemNotFound", "The resource could not be found.")


@dataclass(frozen=True, slots=True)
class Token:
    """Hold what a delta's link carries.

    Attributes:
        since: all up to this change is known.
        high: where this round ends.
        first: True for a round that began with nothing.
        last: the id that ended the page before.
    """

    era: int
    since: int
    high: int = 0
    first: bool = False
    last: str = ""
    select: str | None = None
    top: int | None = None

    def text(self) -> str:
        """Return the token as a link carries it."""
        return base64.urlsafe_b64encode(json.dumps(asdict(self)).encode()).decode()


class GraphDrives:
    """Answer about drives: a Service of practice.graph.app.

    Attributes:
        downloads: where bytes come from.
        units: what requests cost.
        parents: whether delta says where a deleted item was.
    """

    def __init__(self, drives: Drives) -> None:
        self.drives = drives
        self.downloads = Downloads()
        self.units = Units(a_minute=1_000_000)
        self.parents = True

    @property
    def web(self) -> Sequence[WebRoute]:
        """Return the addresses of downloads."""
        return self.downloads.web

    @property
    def routes(self) -> Sequence[Route]:
        """Return the addresses below /v1.0."""
        item, items = "drives/{drive}/items/{id}", "drives/{drive}/items/{id}/"
        rows: tuple[tuple[str, str, str, Callable[[Context], Reply]], ...] = (
            ("users/{user}/drive", "GetDrive", "get", self._own),
            ("users/{user}/drives", "ListDrives", "list", self._owns),
            ("drives/{drive}", "GetDrive", "get", self._drive),
            ("drives/{drive}/root", "ReadDriveItem", "get", self._item),
            ("drives/{drive}/root/delta", "DriveDelta", "delta", self._delta),
            ("drives/{drive}/root/children", "ListChildren", "list", self._children),
            (item, "ReadDriveItem", "get", self._item),
            (items + "children", "ListChildren", "list", self._children),
            (items + "content", "ReadContent", "content", self._content),
            (items + "permissions", "ListPermissions", "permissions", self._permissions),
            (items + "versions", "ListVersions", "list", self._versions),
            (items + "versions/{version}/content", "ReadVersion", "content", self._version),
            ("sites/{site}", "GetSite", "get", self._site),
            ("sites/{site}/drive", "GetDrive", "get", self._library),
            ("sites/{site}/drives", "ListDrives", "list", self._libraries),
            ("sites/{host}/{kind}/{name}", "GetSite", "get", self._site_at),
            ("shares/{share}/driveItem", "GetShared", "get", self._shared),
        )
        return [
            Route(pattern, operation, NEEDS, self._paid(price, answer), directory=True)
            for pattern, operation, price, answer in rows
        ]

    def _paid(self, price: str, answer: Callable[[Context], Reply]) -> Callable[[Context], Reply]:
        def paid(context: Context) -> Reply:
            self.units.pay(context.app.client_id, price)
            return answer(context)

        return paid

    # Drives and sites

    def _own(self, context: Context) -> Reply:
        return context.say(context.query.shown(drive_row(self._drive_of(context), context.world.seed)))

    def _owns(self, context: Context) -> Reply:
        rows = [drive_row(self._drive_of(context), context.world.seed)]
        return context.say(paged(context.ask, rows, context.query, PAGE))

    def _drive_of(self, context: Context) -> Drive:
        try:
            person = find_user(context.world.people, context.names["user"])
        except KeyError:
            raise GraphError(404, "Request_ResourceNotFound", "Resource does not exist.") from None
        try:
            return self.drives.of(person.address)
        except KeyError:
            raise GraphError(404, "ResourceNotFound", "User's mysite not found.") from None

    def _drive(self, context: Context) -> Reply:
        return context.say(context.query.shown(drive_row(self._found(context), context.world.seed)))

    def _found(self, context: Context) -> Drive:
        try:
            return self.drives.find(context.names["drive"])
        except KeyError:
            raise missing() from None

    def _site_of(self, name: str) -> Site:
        try:
            return self.drives.site(name)
        except KeyError:
            raise missing() from None

    def _site_at(self, context: Context) -> Reply:
        host = context.names["host"].removesuffix(":")
        if host.lower() != HOST:
            raise bad_request("Invalid hostname for this tenancy", "invalidRequest")
        return self._said_site(context, f"{context.names['kind']}/{context.names['name'].removesuffix(':')}")

    def _site(self, context: Context) -> Reply:
        if context.names["site"] == "root":
            return context.say(context.query.shown({"id": HOST, "name": "", "webUrl": f"https://{HOST}"}))
        return self._said_site(context, context.names["site"])

    def _said_site(self, context: Context, name: str) -> Reply:
        site = self._site_of(name)
        row: Json = {
            "id": site.id,
            "name": site.path.rpartition("/")[2],
            "displayName": site.title,
            "webUrl": site.web,
            "createdDateTime": "2019-05-06T07:08:09Z",
            "lastModifiedDateTime": "2019-05-06T07:08:09Z",
        }
        return context.say(context.query.shown(row))

    def _library(self, context: Context) -> Reply:
        first = self._site_of(context.names["site"]).libraries[0]
        return context.say(context.query.shown(drive_row(first, context.world.seed)))

    def _libraries(self, context: Context) -> Reply:
        site = self._site_of(context.names["site"])
        rows = [drive_row(one, context.world.seed) for one in site.libraries]
        return context.say(paged(context.ask, rows, context.query, PAGE))

    def _shared(self, context: Context) -> Reply:
        given = context.names["share"]
        try:
            data = base64.urlsafe_b64decode(given.removeprefix("u!") + "=" * (-len(given[2:]) % 4))
            drive, names = self.drives.by_web(data.decode().partition("?")[0])
            node = drive.at(*(unquote(name) for name in names if name))
        except (KeyError, ValueError, binascii.Error):
            raise missing() from None
        return context.say(context.query.shown(self._row(context, drive, node)))

    # Items

    def _node(self, context: Context) -> tuple[Drive, Node]:
        drive = self._found(context)
        try:
            return drive, drive.find(context.names.get("id", "root"))
        except KeyError:
            raise missing() from None

    def _row(self, context: Context, drive: Drive, node: Node) -> Json:
        row = item_row(drive, node)
        if node.form is Form.FILE:
            row[URL] = self.downloads.url(context.ask.base.rpartition("/")[0], drive, node)
        if shared := shared_facet(node, inherited=True):
            row["shared"] = shared
        return row

    def _item(self, context: Context) -> Reply:
        return context.say(context.query.shown(self._row(context, *self._node(context))))

    def _children(self, context: Context) -> Reply:
        drive, node = self._node(context)
        rows = [self._row(context, drive, one) for one in node.children.values()]
        return context.say(paged(context.ask, rows, context.query, PAGE))

    def _content(self, context: Context) -> Reply:
        drive, node = self._node(context)
        if node.form is not Form.FILE:
            raise bad_request("The item is no file.", "notSupported")
        where = self.downloads.url(context.ask.base.rpartition("/")[0], drive, node)
        return Reply(302, "text/plain", iter([b""]), {"Location": where})

    def _permissions(self, context: Context) -> Reply:
        drive, node = self._node(context)
        rows = permission_rows(drive, node, context.world.people)
        return context.say(paged(context.ask, rows, context.query, PAGE))

    def _versions(self, context: Context) -> Reply:
        _, node = self._node(context)
        if node.form is not Form.FILE:
            raise bad_request("The item is no file.", "notSupported")
        return context.say(paged(context.ask, version_rows(node), context.query, PAGE))

    def _version(self, context: Context) -> Reply:
        drive, node = self._node(context)
        number = context.names["version"].partition(".")[0]
        if number == str(node.version):
            raise bad_request("The content of the current version is that of the item.", "invalidRequest")
        try:
            then = node.was(int(number))
        except (KeyError, ValueError):
            raise missing() from None
        where = self.downloads.url(context.ask.base.rpartition("/")[0], drive, then)
        return Reply(302, "text/plain", iter([b""]), {"Location": where})

    # Delta

    def _delta(self, context: Context) -> Reply:
        drive = self._found(context)
        token = self._token(context, drive)
        if token is None:
            latest = Token(drive.era, drive.change, select=context.ask.query.get("$select"))
            return context.say(self._page(context, [], "deltaLink", latest))
        size = token.top or context.ask.prefer.page or PAGE
        high = token.high or drive.change
        changes = drive.changes(token.since, size, high)
        rows = list(self._rows(context, drive, token, [node for _, node in changes]))
        if len(changes) < size:
            after = Token(drive.era, high, select=token.select, top=token.top)
            return context.say(self._page(context, rows, "deltaLink", after))
        number, last = changes[-1]
        following = replace(token, since=number, high=high, last=last.id)
        return context.say(self._page(context, rows, "nextLink", following))

    def _token(self, context: Context, drive: Drive) -> Token | None:
        """Return the request's token; None for the latest.

        Raises:
            GraphError: 410, with where to begin again.
        """
        text, select = context.ask.query.get("token"), context.ask.query.get("$select")
        fresh = Token(drive.era, 0, first=True, select=select, top=context.query.top)
        if text is None:
            return fresh
        if text == "latest":
            return None
        try:
            token = Token(**json.loads(base64.urlsafe_b64decode(text)))
        except (binascii.Error, ValueError, TypeError):
            raise bad_request("Invalid token.", "invalidRequest") from None
        if token.era != drive.era:
            where = linked(context.ask, {"token": replace(fresh, select=token.select).text()}, only=True)
            message = "Resync required. Replace any local items with the server's version."
            raise GraphError(410, "resyncChangesApplyDifferences", message, {"Location": where})
        return token

    def _page(self, context: Context, rows: list[Json], link: str, token: Token) -> Json:
        return {
            "@odata.context": f"{context.ask.base}/$metadata#Collection(driveItem)",
            "value": rows,
            f"@odata.{link}": linked(context.ask, {"token": token.text()}, only=True),
        }

    def _rows(self, context: Context, drive: Drive, token: Token, nodes: list[Node]) -> Iterator[Json]:
        """Yield the rows of a page.

        The root opens the first page; the others begin with what ended the page before.
        """
        before = [drive.nodes[token.last]] if token.last else [drive.root] if token.first else []
        chosen = frozenset(token.select.split(",")) if token.select else None
        query = replace(context.query, select=chosen)
        inherited = SHARING not in context.ask.headers.get("prefer", "").lower()
        for node in (*before, *nodes):
            if any(one.deleted for one in node.lineage()):
                continue
            if node.deleted:
                row = None if token.first else deleted_row(drive, node, parent=self.parents)
            else:
                row = item_row(drive, node, listed=True)
                shared = shared_facet(node, inherited=inherited)
                row |= {"shared": shared} if shared else {}
            if row is not None:
                shown = query.shown(row)
                yield {"@odata.type": "#microsoft.graph.driveItem", **shown}
