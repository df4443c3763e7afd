"""Send up to twenty requests in one (JSON batching).

Each part has a status of its own, and the parts come back in any order: they are paired by id, and only parts
that must wait are asked again.

Source:
    https://learn.microsoft.com/graph/json-batching
"""

from __future__ import annotations

import base64
import binascii
import json
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from connectors.graph_api.client import PREFER, GraphClient, Json
from connectors.graph_api.errors import GraphRefusal, refusal, translated
from model.errors import Transient

PARTS_MOST = 20
WAITED_OUT = frozenset({"busy", "unreachable"})
SUSPECT = frozenset({"timeout", "connection-cut", "server-error", "not-graph", "reply-incomplete"})
WHOLE_TRIES, SINGLE_TRIES = 2, 3
FIRST_WAIT = 0.05
INCOMPLETE = "reply-incomplete"
"""The code of a part that was left out, or is a page of HTML in place of what was requested."""


@dataclass(frozen=True, slots=True)
class BatchReply:
    """Hold a part's success.

    Attributes:
        status: the HTTP status.
        headers: values by lower-case name.
        body: the JSON object; for other content, the base64 text of its bytes.
    """

    status: int
    headers: Mapping[str, str]
    body: object

    @property
    def json(self) -> Json:
        """Return the JSON object; an empty one for other content."""
        return self.body if isinstance(self.body, dict) else {}

    def data(self) -> bytes | None:
        """Return the bytes of content that is not JSON; None when the base64 is damaged or missing."""
        if not isinstance(self.body, str):
            return None
        try:
            return base64.b64decode(self.body, validate=True)
        except (binascii.Error, ValueError):
            return None


@dataclass(frozen=True, slots=True)
class BatchJob:
    """Hold parts to ask for in one batch.

    Attributes:
        names: the names of the parts.
        tries: how often the batch failed.
        renewed: True if it is asked again because the token was renewed.
    """

    names: tuple[str, ...]
    tries: int = 0
    renewed: bool = False


class BatchReader:
    """Read any number of paths, many at a time."""

    def __init__(self, client: GraphClient, prefer: str = "", *, raw: bool = False) -> None:
        """Prepare the reader.

        Args:
            client: the Graph client.
            prefer: further preferences for the header Prefer.
            raw: True if the content is not JSON; a page of HTML is then a fault.
        """
        self._client = client
        self._raw = raw
        self._headers = {"Prefer": f"{PREFER}, {prefer}" if prefer else PREFER}
        self._patience = client.patience()

    def run(self, asks: Mapping[str, str]) -> Iterator[tuple[str, BatchReply | GraphRefusal]]:
        """Yield one outcome for each name, in any order.

        A refusal is final: faults that pass were waited out. One with status 5xx belongs to its part, because
        the server answered others.

        Args:
            asks: the path with its query, below graph_url, by name.

        Raises:
            Transient: the retries are used up.
            Blocked: the server refuses the whole batch.
        """
        names = list(asks)
        todo = deque(BatchJob(tuple(names[at : at + PARTS_MOST])) for at in range(0, len(names), PARTS_MOST))
        while todo:
            yield from self._attempt(asks, todo.popleft(), todo)

    def _attempt(
        self, asks: Mapping[str, str], job: BatchJob, todo: deque[BatchJob]
    ) -> Iterator[tuple[str, BatchReply | GraphRefusal]]:
        """Send one batch and yield the final outcomes."""
        try:
            outcomes = self._request(asks, job.names)
        except GraphRefusal as refused:
            error = translated(refused)
            if not isinstance(error, Transient):
                raise error from None
            yield from self._handle_failure(job, error, refused, todo)
            return
        except Transient as error:
            yield from self._handle_failure(job, error, GraphRefusal(504, ""), todo)
            return
        again: dict[str, dict[str, GraphRefusal]] = {}
        for name in job.names:
            outcome = outcomes.get(name, GraphRefusal(502, INCOMPLETE))
            reaction = _reaction(outcome, job)
            if isinstance(outcome, GraphRefusal) and reaction:
                again.setdefault(reaction, {})[name] = outcome
            else:
                self._patience.progressed()
                yield name, outcome
        self._queue(job, again, todo)

    def _queue(
        self, job: BatchJob, again: Mapping[str, Mapping[str, GraphRefusal]], todo: deque[BatchJob]
    ) -> None:
        """Queue the parts that are asked again."""
        if suspects := again.get("suspect"):
            self._wait_before(job.tries + 1)
            todo.extendleft(BatchJob((name,), job.tries + 1) for name in reversed(tuple(suspects)))
        if renewed := again.get("renew"):
            self._client.renew(
                next((refused_part.claims for refused_part in renewed.values() if refused_part.claims), None)
            )
            todo.appendleft(BatchJob(tuple(renewed), job.tries, renewed=True))
        if busy := again.get("busy"):
            after = max(
                (refused_part.after for refused_part in busy.values() if refused_part.after is not None),
                default=None,
            )
            error = Transient("busy", "the server asked to wait", after=after)
            self._client.pause(self._patience, error.quoting(next(iter(busy.values())).said))
            todo.appendleft(BatchJob(tuple(busy), job.tries))

    def _request(self, asks: Mapping[str, str], names: Sequence[str]) -> dict[str, BatchReply | GraphRefusal]:
        """Send one batch and return the outcomes by name."""
        requests = [
            {"id": str(at), "method": "GET", "url": asks[name], "headers": self._headers}
            for at, name in enumerate(names)
        ]
        content = json.dumps({"requests": requests}).encode()
        headers = {"Content-Type": "application/json"}
        reply = self._client.attempt("POST", "/$batch", "", headers, content, len(names))
        answers = reply.get("responses")
        if not isinstance(answers, list):
            raise Transient("not-graph", "an answer to a batch without its parts")
        outcomes: dict[str, BatchReply | GraphRefusal] = {}
        for answer in answers:
            at = str(answer.get("id")) if isinstance(answer, dict) else ""
            if at.isascii() and at.isdigit() and int(at) < len(names):
                outcomes[names[int(at)]] = self._outcome(answer)
        return outcomes

    def _outcome(self, answer: Json) -> BatchReply | GraphRefusal:
        """Convert one part of the answer."""
        status, raw_headers, body = (answer.get(name) for name in ("status", "headers", "body"))
        headers = (
            {str(k).lower(): str(v) for k, v in raw_headers.items()} if isinstance(raw_headers, dict) else {}
        )
        if not isinstance(status, int):
            return GraphRefusal(502, INCOMPLETE)
        if not 200 <= status < 400:
            return refusal(status, headers, body)
        page = "html" in headers.get("content-type", "").lower()
        if page if self._raw else not isinstance(body, dict):
            return GraphRefusal(502, INCOMPLETE)
        return BatchReply(status, headers, body)

    def _handle_failure(
        self, job: BatchJob, error: Transient, refused: GraphRefusal, todo: deque[BatchJob]
    ) -> Iterator[tuple[str, BatchReply | GraphRefusal]]:
        """Ask again after a batch that failed as a whole: whole, then in halves, then alone.

        A part that fails alone while the server answers is refused.
        """
        if error.code in WAITED_OUT:
            self._client.pause(self._patience, error)
            todo.appendleft(job)
        elif error.code not in SUSPECT:
            raise error
        elif len(job.names) > 1 and (job.tries + 1 >= WHOLE_TRIES or error.code == "timeout"):
            middle = len(job.names) // 2
            halves = (job.names[:middle], job.names[middle:])
            todo.extendleft(BatchJob(part) for part in reversed(halves))
        elif job.tries < SINGLE_TRIES:
            self._wait_before(job.tries + 1)
            todo.appendleft(replace(job, tries=job.tries + 1))
        else:
            yield job.names[0], refused

    def _wait_before(self, tries: int) -> None:
        """Wait before the next attempt; before the last one check that the server answers.

        An outage must not be blamed on a part.
        """
        self._client.wait(FIRST_WAIT * 3 ** (tries - 1))
        if tries == SINGLE_TRIES:
            self._client.probe()


def _reaction(outcome: BatchReply | GraphRefusal, job: BatchJob) -> str:
    """Return how a part is asked again; "" when its outcome is final.

    "busy": after a wait; "renew": with a new token; "suspect": alone.
    """
    if isinstance(outcome, BatchReply) or outcome.unconvertible or outcome.absent or outcome.lost:
        return ""
    if outcome.status == 401 and not job.renewed:
        return "renew"
    if outcome.code == INCOMPLETE or outcome.status >= 500 or outcome.status == 408:
        if outcome.busy and outcome.code != INCOMPLETE:
            return "busy"
        return "suspect" if job.tries < SINGLE_TRIES else ""
    return "busy" if outcome.busy else ""
