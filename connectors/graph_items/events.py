"""Events read whole: each with its text, its changed and deleted occurrences, and what is attached to them.

Twenty are read together, one batch for each question: the events; what became of single days of the series
among them, by two lists or, of a server that does not have these, by its expansion; the changed days; the
texts of what is HTML, as Graph renders them; the attachments. Where a part is gone meanwhile the event is
read again; a part that was only edited has a new version of its event, and the next pass brings both.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from connectors.graph_api.batch import BatchReader
from connectors.graph_api.client import GraphClient, Json, query, segment
from connectors.graph_api.errors import GraphRefusal
from connectors.graph_api.fields import EVENT, EVENT_EXPAND, SERIES, expand
from connectors.graph_api.folders import tagged
from connectors.graph_api.item_errors import refused
from connectors.graph_api.messages import version_of
from connectors.graph_items.attachments import Attached, attachments, contents
from connectors.graph_items.instances import instances
from model.errors import MigrationError, Rejected
from model.protocols import Body, Failed, Native, Ref, key_of

FORMAT = "graph-event"
CLASS_ONLY = expand(("String 0x1a",))
BARE = query(select="id,changeKey", expand=CLASS_ONLY)
ITEM_CLASS, HAS_ATTACHMENTS = 0x001A, 0x0E1B
APPOINTMENT = "IPM.Appointment"
AGAIN_MOST = 2
AS_TEXT = 'outlook.body-content-type="text"'
DAYS = {"cancelledOccurrences", "exceptionOccurrences"}
MISSING = Rejected("occurrence-missing", "the source names a changed date that it does not have")
UNTOLD = Rejected("occurrence-missing", "the source does not say what became of the series' single days")


@dataclass
class EventDraft:
    """One event in the making. instances: of a series that does not say what became of its days; fault: why
    it cannot be given; gone: a part of it is no longer there."""

    ref: Ref
    event: Json
    exceptions: list[Json] = field(default_factory=list)
    cancelled: list[object] = field(default_factory=list)
    instances: Json | None = None
    fault: MigrationError | None = None
    gone: bool = False

    @property
    def parts(self) -> list[Json]:
        return [self.event, *self.exceptions]


class Events:
    """Reads events of one user."""

    def __init__(self, client: GraphClient) -> None:
        self._client = client

    def read(self, calendar: str, refs: Sequence[Ref], *, bodies: bool) -> Iterator[Native | Failed]:
        """calendar: the path of where they lie; one that lies elsewhere by now has vanished from there. One
        result for each ref. Raises Refusal, Transient or Blocked."""
        todo = list(refs)
        for attempt in range(AGAIN_MOST + 1):
            again: list[Ref] = []
            for one in self._round(calendar, todo, bodies=bodies):
                if isinstance(one, EventDraft) and attempt < AGAIN_MOST:
                    again.append(one.ref)
                elif isinstance(one, EventDraft):
                    yield Failed(key_of(one.ref.id), MISSING)
                else:
                    yield one
            todo = again
            if not todo:
                return

    def _round(
        self, calendar: str, refs: Sequence[Ref], *, bodies: bool
    ) -> Iterator[Native | Failed | EventDraft]:
        """A Whole for one of which a part is gone."""
        wanted = {ref.id: ref for ref in refs}
        options = query(select=EVENT, expand=EVENT_EXPAND) if bodies else BARE
        found: list[EventDraft] = []
        for id_, outcome in self._events(calendar, wanted, options):
            if isinstance(outcome, GraphRefusal):
                yield refused(self._client, wanted[id_], outcome, calendar)
            elif not outcome.get("id"):
                yield Failed(key_of(id_), Rejected("item-refused", "the server gave something else"))
            else:
                ref = Ref(id_, version_of(outcome) or wanted[id_].version, size=wanted[id_].size)
                found.append(EventDraft(ref, outcome))
        if not bodies:
            yield from (Native(one.ref, FORMAT, _properties(one.event, {})) for one in found)
            return
        yield from self._completed(calendar, found)

    def _completed(
        self, calendar: str, found: Sequence[EventDraft]
    ) -> Iterator[Native | Failed | EventDraft]:
        self._days(calendar, found)
        whole = [one for one in found if not one.gone and one.fault is None]
        parts = {str(part["id"]): part for one in whole for part in one.parts}
        self._texts(calendar, parts)
        lost, bodies = self._attached(calendar, parts)
        for one in found:
            if one.fault is not None:
                yield Failed(key_of(one.ref.id), one.fault)
            elif one.gone or any(str(part["id"]) in lost for part in one.parts):
                yield one
            else:
                yield self._native(one, bodies)

    def _events(
        self, calendar: str, ids: Iterable[str], options: str, prefer: str = ""
    ) -> Iterator[tuple[str, Json | GraphRefusal]]:
        asks = {id_: f"{calendar}/events/{segment(id_)}?{options}" for id_ in ids}
        for id_, outcome in BatchReader(self._client, prefer).run(asks):
            yield id_, outcome if isinstance(outcome, GraphRefusal) else outcome.json

    def _days(self, calendar: str, found: Sequence[EventDraft]) -> None:
        """What became of single days of the series among them."""
        masters = {one.ref.id: one for one in found if one.event.get("type") == "seriesMaster"}
        options = query(select=SERIES, expand="exceptionOccurrences($select=id)")
        changed: dict[str, EventDraft] = {}
        untold: dict[str, EventDraft] = {}
        for id_, outcome in self._events(calendar, masters, options):
            one = masters[id_]
            if isinstance(outcome, GraphRefusal) and (outcome.absent or outcome.status != 400):
                self._hurt(one, outcome, calendar)
            elif isinstance(outcome, GraphRefusal) or not outcome.keys() >= DAYS:
                untold[id_] = one
            else:
                one.cancelled = list(outcome["cancelledOccurrences"] or ())
                ids = [str(each["id"]) for each in outcome["exceptionOccurrences"] or ()]
                changed.update(dict.fromkeys(ids, one))
        changed.update(self._expanded(calendar, untold))
        for id_, outcome in self._events(calendar, changed, query(select=EVENT, expand=EVENT_EXPAND)):
            if isinstance(outcome, GraphRefusal):
                self._hurt(changed[id_], outcome, calendar)
            else:
                changed[id_].exceptions.append(outcome)

    def _expanded(self, calendar: str, untold: Mapping[str, EventDraft]) -> Iterator[tuple[str, EventDraft]]:
        """The changed days of series that do not name them, by the server's own expansion of each, which is
        kept: the mapping knows which days are missing from it."""
        masters = {id_: one.event for id_, one in untold.items()}
        for id_, outcome in instances(self._client, calendar, masters):
            one = untold[id_]
            if isinstance(outcome, GraphRefusal):
                self._hurt(one, outcome, calendar)
            elif outcome is None or not all(row.get("id") for row in outcome["rows"]):
                one.fault = UNTOLD
            else:
                one.instances = outcome
                changed = (row for row in outcome["rows"] if row.get("type") == "exception")
                yield from ((str(row["id"]), one) for row in changed)

    def _hurt(self, one: EventDraft, refusal: GraphRefusal, calendar: str) -> None:
        """A series without one of its days would be another series."""
        if refusal.absent:
            one.gone = True
        else:
            one.fault = refused(self._client, one.ref, refusal, calendar).error

    def _texts(self, calendar: str, parts: Mapping[str, Json]) -> None:
        """A text that is gone meanwhile is left out: the HTML says it."""
        written = [id_ for id_, part in parts.items() if _content(part).strip()]
        for id_, outcome in self._events(calendar, written, query(select="id,body"), AS_TEXT):
            if isinstance(outcome, GraphRefusal):
                if not outcome.absent:
                    refused(self._client, Ref(id_, ""), outcome, calendar)
            elif str((outcome.get("body") or {}).get("contentType")).lower() == "text":
                parts[id_]["textBody"] = _content(outcome)

    def _attached(
        self, calendar: str, parts: Mapping[str, Json]
    ) -> tuple[set[str], dict[str, Body | GraphRefusal]]:
        """Which parts are gone by now, and the contents by attachment id."""
        owners = {id_: f"{calendar}/events/{segment(id_)}" for id_, part in parts.items() if _holds(part)}
        lost: set[str] = set()
        found: list[Attached] = []
        for id_, outcome in attachments(self._client, owners):
            if isinstance(outcome, GraphRefusal):
                if not outcome.absent:
                    refused(self._client, Ref(id_, ""), outcome, calendar)
                lost.add(id_)
            else:
                parts[id_]["attachments"] = [one.facts for one in outcome]
                found += outcome
        bodies = contents(self._client, found)
        lost |= {one.owner for one in found if _is_gone(bodies.get(one.id))}
        return lost, bodies

    def _native(self, one: EventDraft, bodies: Mapping[str, Body | GraphRefusal]) -> Native:
        held = {
            id_: body
            for part in one.parts
            for each in part.get("attachments") or ()
            if not isinstance(body := bodies.get(id_ := str(each.get("id"))), GraphRefusal | None)
        }
        record = {"item": one.event, "exceptions": one.exceptions, "cancelled": one.cancelled}
        if one.instances is not None:
            record["instances"] = one.instances
        return Native(one.ref, FORMAT, _properties(one.event, held), written(self._client, record))


def written(client: GraphClient, record: Json) -> Body | None:
    """The body of a record: its JSON."""
    sink = client.sink()
    sink.write(json.dumps(record, ensure_ascii=True, separators=(",", ":")).encode())
    return sink.finish()


def _properties(event: Json, held: Mapping[str, Body]) -> dict[str, object]:
    return {"ItemClass": tagged(event).get(ITEM_CLASS) or APPOINTMENT, "Attachments": held}


def _content(event: Json) -> str:
    body = event.get("body")
    return str(body.get("content") or "") if isinstance(body, dict) else ""


def _holds(event: Json) -> bool:
    """hasAttachments leaves out pictures inside the text; MAPI's own mark does not."""
    marked = tagged(event).get(HAS_ATTACHMENTS)
    return event.get("hasAttachments") is True or marked is None or marked.lower() == "true"


def _is_gone(body: Body | GraphRefusal | None) -> bool:
    return isinstance(body, GraphRefusal) and body.absent
