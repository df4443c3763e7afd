"""Answer SyncFolderItems.

A sync state is opaque to clients: gzip over who it belongs to and how far the client is. Within a round the
upper end is fixed, so that pages neither repeat nor miss what changes meanwhile.
"""

from __future__ import annotations

import base64
import binascii
import gzip
import zlib
from collections.abc import Iterator
from dataclasses import dataclass

from lxml import etree

from practice.exchange.context import Context
from practice.exchange.properties import ItemWriter, item_id
from practice.exchange.shape import ids, number, parse_shape
from practice.exchange.soap import Call, Dialect, EwsError, M, boolean, failure, message, schema_fault
from practice.world.folders import Change, Did, Folder


@dataclass(frozen=True, slots=True)
class State:
    """Hold how far a client is.

    Attributes:
        since: it knows all up to this change.
        before: within a round, it knows what lies at or above it, up to high; 0 between rounds.
    """

    scope: str
    since: int = 0
    high: int = 0
    before: int = 0

    def text(self) -> str:
        """Return the state as clients get it."""
        plain = f"{self.scope}|{self.since}|{self.high}|{self.before}".encode()
        return base64.b64encode(gzip.compress(plain, 1, mtime=0)).decode()


def lost_state() -> EwsError:
    """Return the refusal of a state that is damaged, or another folder's."""
    return EwsError(
        "ErrorInvalidSyncStateData", "Synchronization state data is corrupt or otherwise invalid."
    )


def read_state(text: str | None, scope: str) -> State:
    """Return the state of a text; a missing one begins from the start.

    Raises:
        EwsError: it is damaged, or another folder's.
    """
    if not text:
        return State(scope)
    try:
        plain = gzip.decompress(base64.b64decode(text, validate=True)).decode()
        found, since, high, before = plain.split("|")
        state = State(found, int(since), int(high), int(before))
    except (binascii.Error, EOFError, OSError, ValueError, zlib.error):
        raise lost_state() from None
    if found != scope:
        raise lost_state()
    return state


def _state(context: Context, element: etree._Element, scope: str) -> State:
    text = (element.findtext(f"{M}SyncState") or "").strip()
    try:
        return read_state(text, scope)
    except EwsError:
        if context.dialect.resyncs:
            return State(scope)
        raise


def _tail(last: str) -> str:
    return f"<m:SyncState/><m:IncludesLast{last}InRange>true</m:IncludesLast{last}InRange>"


def sync_folder_items(context: Context, call: Call) -> Iterator[bytes]:
    """Answer SyncFolderItems."""
    element = call.element
    limit = number(element, "MaxChangesReturned")
    if not 1 <= limit <= 512:
        raise schema_fault("The 'MaxChangesReturned' element is invalid - it must be between 1 and 512.")
    shape = parse_shape(element.find(f"{M}ItemShape"))
    ignored = frozenset(each for each, _ in ids(element.find(f"{M}Ignore"), "ItemId"))
    try:
        writer = ItemWriter(shape, context.dialect, listing=True)
        folder = _folder(context, element)
        if folder.kind == "search":
            raise EwsError("ErrorInvalidFolderTypeForOperation", "Search folders cannot be synchronized.")
        state = _state(context, element, f"{folder.mailbox.guid}/i{folder.number}")
    except EwsError as error:
        yield failure("SyncFolderItems", error, _tail("Item")).encode()
        return
    changes, after, last = _round(folder, state, min(limit, context.limits.changes))
    listed = (one for one in changes if one.id not in ignored and not _silent(one, state, context.dialect))
    written = "".join(_item_change(change, writer, context.dialect) for change in listed)
    yield message(
        "SyncFolderItems",
        f"<m:SyncState>{after.text()}</m:SyncState><m:IncludesLastItemInRange>{boolean(last)}"
        f"</m:IncludesLastItemInRange><m:Changes>{written}</m:Changes>",
    ).encode()


def _folder(context: Context, element: etree._Element) -> Folder:
    wanted = element.find(f"{M}SyncFolderId")
    if wanted is None or len(wanted) != 1:
        raise schema_fault("A SyncFolderId is required.")
    return context.folder(wanted[0])


def _round(folder: Folder, state: State, limit: int) -> tuple[list[Change], State, bool]:
    """Return one page of a round: the changes, the state after them, whether the round ended."""
    high = state.high if state.before else folder.mailbox.change
    before = state.before or high + 1
    changes = folder.changes(state.since, before, limit + 1)
    if len(changes) <= limit:
        return changes, State(state.scope, since=high), True
    page = changes[:limit]
    return page, State(state.scope, state.since, high, page[-1].number), False


def _silent(change: Change, state: State, dialect: Dialect) -> bool:
    """Return whether only occurrences of a series changed, if that is no change of the series."""
    item = change.item
    return (
        dialect.habits.keys_stay
        and item is not None
        and change.did is Did.UPDATED
        and item.series_change <= state.since
    )


def _item_change(change: Change, writer: ItemWriter, dialect: Dialect) -> str:
    if change.item is None:
        return f'<t:Delete><t:ItemId Id="{change.id}"/></t:Delete>'
    if change.did is Did.READ:
        read = boolean(change.item.is_read)
        return (
            f"<t:ReadFlagChange>{item_id(change.item, dialect)}<t:IsRead>{read}</t:IsRead></t:ReadFlagChange>"
        )
    tag = "Create" if change.did is Did.CREATED else "Update"
    return f"<t:{tag}>{writer.write(change.item)}</t:{tag}>"
