"""Delta: pages of what changed, and the tokens that say up to where a client knows it."""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass, replace

from practice.exchange.wire import Reply
from practice.graph.context import Context
from practice.graph.errors import bad_request, lost_sync_state, untracked
from practice.graph.query import PAGE, Query, linked
from practice.graph.wire import Json
from practice.world.folders import Change, Did, Folder
from practice.world.messages import Message


@dataclass(frozen=True, slots=True)
class Token:
    """Hold what a link carries.

    Attributes:
        kind: of which resource.
        folder: by number.
        since: the client knows everything up to this change.
        high: where this round ends.
        before: of this round, only older changes are left.
        select: the choice of the first request, which the links repeat for the client.
    """

    kind: str
    folder: int = 0
    since: int = 0
    high: int = 0
    before: int = 0
    skip: int = 0
    select: str | None = None
    extra: str = ""
    guid: str = ""

    def later(self, **changes: int) -> Token:
        """Return the token with these changes."""
        return replace(self, **changes)  # type: ignore[arg-type]

    def round(self, high: int) -> Token:
        """Return the token of the next round: everything up to `high` is known."""
        return replace(self, since=high, high=0, before=0, skip=0)

    def text(self, guid: str) -> str:
        """Return the token as a link carries it."""
        data = json.dumps(asdict(replace(self, guid=guid)), separators=(",", ":")).encode()
        return base64.urlsafe_b64encode(data).decode()


def read_token(context: Context, kind: str) -> Token | None:
    """Return the request's token; None for a first request.

    Raises:
        GraphError: 410 when the state is lost, 400 if it is no token of this resource.
    """
    text = context.ask.query.get("$skiptoken") or context.ask.query.get("$deltatoken")
    if text is None:
        return None
    try:
        token = Token(**json.loads(base64.urlsafe_b64decode(text)))
    except (binascii.Error, ValueError, TypeError):
        raise bad_request("Badly formed token.", "SyncStateInvalid") from None
    if token.guid != str(context.box.guid):
        raise lost_sync_state()
    if token.kind != kind:
        raise bad_request("Badly formed token.", "SyncStateInvalid")
    return token


def next_link(context: Context, token: Token) -> Json:
    """Return the link to the next page."""
    return {"@odata.nextLink": _link(context, "$skiptoken", token)}


def delta_link(context: Context, token: Token) -> Json:
    """Return the link to the next round."""
    return {"@odata.deltaLink": _link(context, "$deltatoken", token)}


def _link(context: Context, name: str, token: Token) -> str:
    return linked(context.ask, {name: token.text(str(context.box.guid))}, only=True)


_PAUSE = "pause"


@dataclass(frozen=True, slots=True)
class Tracked:
    """Describe one kind of item that delta lists.

    Attributes:
        whole: gives the entity by a query.
        part: what a row states of an item of which only the read mark changed; None if a row is always whole.
    """

    kind: str
    type: str
    whole: Callable[[Context, Message, Query], Json]
    part: Callable[[Context, Message], Json] | None = None
    takes: Callable[[Message], bool] = lambda _: True
    refuses: tuple[str, ...] = ("$orderby", "$search", "$expand")


def delta(context: Context, folder: Folder, tracked: Tracked, check: Callable[[Query], Query]) -> Reply:
    """Return one page of a delta.

    The first round has every item; later ones what was made, changed or removed since. After the first of
    several pages comes an empty one, and then a page that begins with the last row of the page before: no
    rows do not mean that none are left, and a row may come again.
    """
    token = read_token(context, tracked.kind)
    if token is None:
        refused = [name for name in tracked.refuses if name in context.ask.query]
        if refused:
            raise untracked(tracked.kind, *refused)
        token = Token(tracked.kind, folder.number, select=context.ask.query.get("$select"))
    elif token.folder != folder.number:
        raise bad_request("Badly formed token.", "SyncStateInvalid")
    chosen = frozenset(token.select.split(",")) if token.select else None
    query = check(replace(context.query, select=chosen))
    high = token.high or context.box.change
    size = context.ask.prefer.page or context.query.top or PAGE
    if token.extra == _PAUSE:
        return context.say({"value": [], **next_link(context, replace(token, extra=""))})
    changes = folder.changes(token.since, token.before or high + 1, size)
    rows = [row for change in changes for row in _rows(context, folder, tracked, change, query)]
    content: Json = {
        "@odata.context": f"{context.ask.base}/$metadata#Collection({tracked.type.removeprefix('#')})",
        "value": rows,
    }
    if len(changes) == size:
        later = token.later(high=high, before=changes[-1].number + (not token.before))
        content |= next_link(context, replace(later, extra="" if token.before else _PAUSE))
    else:
        content |= delta_link(context, token.round(high))
    return context.say(content)


def _rows(context: Context, folder: Folder, tracked: Tracked, change: Change, query: Query) -> Iterable[Json]:
    item = change.item
    if change.did is Did.DELETED or item is None:
        yield from _removed(context, folder, tracked, change)
    elif not tracked.takes(item):
        return
    elif change.did is Did.READ and tracked.part is not None:
        yield {"@odata.type": tracked.type, **tracked.part(context, item)}
    else:
        yield {"@odata.type": tracked.type, **query.shown(tracked.whole(context, item, query))}


def _removed(context: Context, folder: Folder, tracked: Tracked, change: Change) -> Iterable[Json]:
    """Return the row of a removed item; none for one that is here again, as its immutable id never left."""
    numbers = context.box.ids.read_item(change.id)
    if numbers is None:
        return
    origin = folder.came.get(numbers[1], numbers)
    again = context.box.strays.get(origin)
    if context.ask.prefer.immutable and again is not None and again.folder is folder:
        return
    gone = context.gone_id(folder, numbers[1])
    yield {"@odata.type": tracked.type, "id": gone, "@removed": {"reason": "deleted"}}
