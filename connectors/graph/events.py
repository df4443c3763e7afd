"""Read complete events: text, changed and deleted occurrences, and attachments.

Twenty events are read together, one batch for each question: the events; what happened to single days of the
series among them, by two lists or, from a server that does not have these, by its expansion; the changed
days; the texts of HTML bodies, as Graph renders them; the attachments. When a part disappeared meanwhile the
event is read again. A part that was only edited gives its event a new version, and the next pass reads both.

Source:
    https://learn.microsoft.com/graph/api/resources/event
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from connectors.graph.attachments import Attached, attachments, contents
from connectors.graph.instances import instances
from connectors.graph_api.batch import BatchReader
from connectors.graph_api.client import GraphClient, Json, query, segment
from connectors.graph_api.errors import GraphRefusal
from connectors.graph_api.fields import EVENT, EVENT_EXPAND, SERIES, expand
from connectors.graph_api.folders import tagged
from connectors.graph_api.item_errors import first_read, refused
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
    """Hold one event while it is read.

    Attributes:
        ref: the event's ref with the version that was read.
        event: the event.
        exceptions: the changed occurrences.
        cancelled: the deleted occurrences.
        instances: the expansion of a series that does not list its changed days; None otherwise.
        fault: why the event cannot be given; None otherwise.
        gone: True if a part of it no longer exists.
    """

    ref: Ref
    event: Json
    exceptions: list[Json] = field(default_factory=list)
    cancelled: list[object] = field(default_factory=list)
    instances: Json | None = None
    fault: MigrationError | None = None
    gone: bool = False

    @property
    def parts(self) -> list[Json]:
        """Return the event and its changed occurrences."""
        return [self.event, *self.exceptions]


class Events:
    """Read events of one user."""

    def __init__(self, client: GraphClient) -> None:
        self._client = client

    def read(self, calendar: str, refs: Sequence[Ref], *, bodies: bool) -> Iterator[Native | Failed]:
        """Yield one result for each ref, in any order.

        An event that is in another calendar by now has vanished from this one.

        Args:
            calendar: the path of the calendar.
            refs: the events.
            bodies: False to read the class only.

        Raises:
            GraphRefusal: the mailbox or the calendar is refused.
            Transient, Blocked: the server cannot be asked, after the retries.
        """
        todo = list(refs)
        for attempt in range(AGAIN_MOST + 1):
            again: list[Ref] = []
            for result in self._round(calendar, todo, bodies=bodies):
                if isinstance(result, EventDraft) and attempt < AGAIN_MOST:
                    again.append(result.ref)
                elif isinstance(result, EventDraft):
                    yield Failed(key_of(result.ref.id), MISSING)
                else:
                    yield result
            todo = again
            if not todo:
                return

    def _round(
        self, calendar: str, refs: Sequence[Ref], *, bodies: bool
    ) -> Iterator[Native | Failed | EventDraft]:
        """Read events once; yield the draft of each event of which a part is gone."""
        refs_by_id = {ref.id: ref for ref in refs}
        options = query(select=EVENT, expand=EVENT_EXPAND) if bodies else BARE
        drafts: list[EventDraft] = []
        asks = {id_: f"{calendar}/events/{segment(id_)}?{options}" for id_ in refs_by_id}
        for result in first_read(self._client, refs_by_id, asks, calendar):
            if isinstance(result, Failed):
                yield result
            else:
                drafts.append(EventDraft(*result))
        if not bodies:
            yield from (Native(draft.ref, FORMAT, _properties(draft.event, {})) for draft in drafts)
            return
        yield from self._complete(calendar, drafts)

    def _complete(
        self, calendar: str, drafts: Sequence[EventDraft]
    ) -> Iterator[Native | Failed | EventDraft]:
        """Add the parts of the drafts and yield the results."""
        self._days(calendar, drafts)
        whole = [draft for draft in drafts if not draft.gone and draft.fault is None]
        parts = {str(part["id"]): part for draft in whole for part in draft.parts}
        self._texts(calendar, parts)
        lost, bodies = self._read_attachments(calendar, parts)
        for draft in drafts:
            if draft.fault is not None:
                yield Failed(key_of(draft.ref.id), draft.fault)
            elif draft.gone or any(str(part["id"]) in lost for part in draft.parts):
                yield draft
            else:
                yield self._native(draft, bodies)

    def _events(
        self, calendar: str, ids: Iterable[str], options: str, prefer: str = ""
    ) -> Iterator[tuple[str, Json | GraphRefusal]]:
        asks = {id_: f"{calendar}/events/{segment(id_)}?{options}" for id_ in ids}
        for id_, outcome in BatchReader(self._client, prefer).run(asks):
            yield id_, outcome if isinstance(outcome, GraphRefusal) else outcome.json

    def _days(self, calendar: str, drafts: Sequence[EventDraft]) -> None:
        """Add what happened to single days of the series."""
        masters = {draft.ref.id: draft for draft in drafts if draft.event.get("type") == "seriesMaster"}
        options = query(select=SERIES, expand="exceptionOccurrences($select=id)")
        changed: dict[str, EventDraft] = {}
        untold: dict[str, EventDraft] = {}
        for id_, outcome in self._events(calendar, masters, options):
            draft = masters[id_]
            if isinstance(outcome, GraphRefusal) and (outcome.absent or outcome.status != 400):
                self._spoil(draft, outcome, calendar)
            elif isinstance(outcome, GraphRefusal) or not outcome.keys() >= DAYS:
                untold[id_] = draft
            else:
                draft.cancelled = list(outcome["cancelledOccurrences"] or ())
                ids = [str(each["id"]) for each in outcome["exceptionOccurrences"] or ()]
                changed.update(dict.fromkeys(ids, draft))
        changed.update(self._expand(calendar, untold))
        for id_, outcome in self._events(calendar, changed, query(select=EVENT, expand=EVENT_EXPAND)):
            if isinstance(outcome, GraphRefusal):
                self._spoil(changed[id_], outcome, calendar)
            else:
                changed[id_].exceptions.append(outcome)

    def _expand(self, calendar: str, untold: Mapping[str, EventDraft]) -> Iterator[tuple[str, EventDraft]]:
        """Yield the changed days of series that do not list them, from the server's expansion.

        The expansion is kept: the mapping knows which days are missing from it.
        """
        masters = {id_: draft.event for id_, draft in untold.items()}
        for id_, outcome in instances(self._client, calendar, masters):
            draft = untold[id_]
            if isinstance(outcome, GraphRefusal):
                self._spoil(draft, outcome, calendar)
            elif outcome is None or not all(row.get("id") for row in outcome["rows"]):
                draft.fault = UNTOLD
            else:
                draft.instances = outcome
                changed = (row for row in outcome["rows"] if row.get("type") == "exception")
                yield from ((str(row["id"]), draft) for row in changed)

    def _spoil(self, draft: EventDraft, refusal: GraphRefusal, calendar: str) -> None:
        """Mark an event as incomplete: a series without one of its days would be another series."""
        if refusal.absent:
            draft.gone = True
        else:
            draft.fault = refused(self._client, draft.ref, refusal, calendar).error

    def _texts(self, calendar: str, parts: Mapping[str, Json]) -> None:
        """Add the texts of HTML bodies; a text that is gone meanwhile is left out: the HTML has it, too."""
        written = [id_ for id_, part in parts.items() if _content(part).strip()]
        for id_, outcome in self._events(calendar, written, query(select="id,body"), AS_TEXT):
            if isinstance(outcome, GraphRefusal):
                if not outcome.absent:
                    refused(self._client, Ref(id_, ""), outcome, calendar)
            elif str((outcome.get("body") or {}).get("contentType")).lower() == "text":
                parts[id_]["textBody"] = _content(outcome)

    def _read_attachments(
        self, calendar: str, parts: Mapping[str, Json]
    ) -> tuple[set[str], dict[str, Body | GraphRefusal]]:
        """Return which parts are gone by now, and the contents by attachment id."""
        owners = {id_: f"{calendar}/events/{segment(id_)}" for id_, part in parts.items() if _holds(part)}
        lost: set[str] = set()
        attached: list[Attached] = []
        for id_, outcome in attachments(self._client, owners):
            if isinstance(outcome, GraphRefusal):
                if not outcome.absent:
                    refused(self._client, Ref(id_, ""), outcome, calendar)
                lost.add(id_)
            else:
                parts[id_]["attachments"] = [attachment.facts for attachment in outcome]
                attached += outcome
        bodies = contents(self._client, attached)
        lost |= {attachment.owner for attachment in attached if _is_gone(bodies.get(attachment.id))}
        return lost, bodies

    def _native(self, draft: EventDraft, bodies: Mapping[str, Body | GraphRefusal]) -> Native:
        """Return the complete event."""
        files = {
            id_: body
            for part in draft.parts
            for each in part.get("attachments") or ()
            if not isinstance(body := bodies.get(id_ := str(each.get("id"))), GraphRefusal | None)
        }
        record = {"item": draft.event, "exceptions": draft.exceptions, "cancelled": draft.cancelled}
        if draft.instances is not None:
            record["instances"] = draft.instances
        return Native(draft.ref, FORMAT, _properties(draft.event, files), written(self._client, record))


def written(client: GraphClient, record: Json) -> Body | None:
    """Return a record's JSON as a body, spooled when large.

    Args:
        client: the Graph client.
        record: the record.
    """
    sink = client.sink()
    sink.write(json.dumps(record, ensure_ascii=True, separators=(",", ":")).encode())
    return sink.finish()


def _properties(event: Json, held: Mapping[str, Body]) -> dict[str, object]:
    return {"ItemClass": tagged(event).get(ITEM_CLASS) or APPOINTMENT, "Attachments": held}


def _content(event: Json) -> str:
    body = event.get("body")
    return str(body.get("content") or "") if isinstance(body, dict) else ""


def _holds(event: Json) -> bool:
    """Return True if an event may have attachments.

    hasAttachments leaves out pictures inside the text; the MAPI property includes them.
    """
    marked = tagged(event).get(HAS_ATTACHMENTS)
    return event.get("hasAttachments") is True or marked is None or marked.lower() == "true"


def _is_gone(body: Body | GraphRefusal | None) -> bool:
    return isinstance(body, GraphRefusal) and body.absent
