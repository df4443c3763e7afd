"""Up to twenty requests in one (JSON batching). Each part has a status of its own, and they come back in any
order: they are paired by id, and only those that were told to wait are asked again."""

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
"""The code of a part that was left out, or is a page of HTML in place of what was asked for."""


@dataclass(frozen=True, slots=True)
class BatchReply:
    """A part's success. body: the JSON object; of what is no JSON, the base64 text of its bytes."""

    status: int
    headers: Mapping[str, str]
    body: object

    @property
    def json(self) -> Json:
        """The object; an empty one when it is something else."""
        return self.body if isinstance(self.body, dict) else {}

    def data(self) -> bytes | None:
        """The bytes of what is no JSON; None when the base64 is damaged, or there is none at all."""
        if not isinstance(self.body, str):
            return None
        try:
            return base64.b64decode(self.body, validate=True)
        except (binascii.Error, ValueError):
            return None


@dataclass(frozen=True, slots=True)
class BatchJob:
    """Parts to ask for in one batch, how often that came to nothing, and whether for want of a token."""

    names: tuple[str, ...]
    tries: int = 0
    renewed: bool = False


class BatchReader:
    """Reads any number of paths, many at a time. raw: what comes is no JSON, nor a page of HTML."""

    def __init__(self, client: GraphClient, prefer: str = "", *, raw: bool = False) -> None:
        self._client = client
        self._raw = raw
        self._headers = {"Prefer": f"{PREFER}, {prefer}" if prefer else PREFER}
        self._patience = client.patience()

    def run(self, asks: Mapping[str, str]) -> Iterator[tuple[str, BatchReply | GraphRefusal]]:
        """name -> path with its query, below graph_url. One outcome for each name, in any order. A Refusal is
        final: what passes by itself was waited out; one of status 5xx is the part's own, for the server
        answered others.

        Raises Transient when patience is over, or Blocked."""
        names = list(asks)
        todo = deque(BatchJob(tuple(names[at : at + PARTS_MOST])) for at in range(0, len(names), PARTS_MOST))
        while todo:
            yield from self._attempt(asks, todo.popleft(), todo)

    def _attempt(
        self, asks: Mapping[str, str], job: BatchJob, todo: deque[BatchJob]
    ) -> Iterator[tuple[str, BatchReply | GraphRefusal]]:
        try:
            outcomes = self._asked(asks, job.names)
        except GraphRefusal as refused:
            error = translated(refused)
            if not isinstance(error, Transient):
                raise error from None
            yield from self._failed(job, error, refused, todo)
            return
        except Transient as error:
            yield from self._failed(job, error, GraphRefusal(504, ""), todo)
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
        if suspects := again.get("suspect"):
            self._before(job.tries + 1)
            todo.extendleft(BatchJob((name,), job.tries + 1) for name in reversed(tuple(suspects)))
        if renewed := again.get("renew"):
            self._client.renew(next((one.claims for one in renewed.values() if one.claims), None))
            todo.appendleft(BatchJob(tuple(renewed), job.tries, renewed=True))
        if busy := again.get("busy"):
            after = max((one.after for one in busy.values() if one.after is not None), default=None)
            error = Transient("busy", "the server asked to wait", after=after)
            self._client.pause(self._patience, error.said(next(iter(busy.values())).said))
            todo.appendleft(BatchJob(tuple(busy), job.tries))

    def _asked(self, asks: Mapping[str, str], names: Sequence[str]) -> dict[str, BatchReply | GraphRefusal]:
        requests = [
            {"id": str(at), "method": "GET", "url": asks[name], "headers": self._headers}
            for at, name in enumerate(names)
        ]
        content = json.dumps({"requests": requests}).encode()
        headers = {"Content-Type": "application/json"}
        found = self._client.attempt("POST", "/$batch", "", headers, content, len(names))
        answers = found.get("responses")
        if not isinstance(answers, list):
            raise Transient("not-graph", "an answer to a batch without its parts")
        outcomes: dict[str, BatchReply | GraphRefusal] = {}
        for answer in answers:
            at = str(answer.get("id")) if isinstance(answer, dict) else ""
            if at.isascii() and at.isdigit() and int(at) < len(names):
                outcomes[names[int(at)]] = self._outcome(answer)
        return outcomes

    def _outcome(self, answer: Json) -> BatchReply | GraphRefusal:
        status, given, body = (answer.get(name) for name in ("status", "headers", "body"))
        headers = {str(k).lower(): str(v) for k, v in given.items()} if isinstance(given, dict) else {}
        if not isinstance(status, int):
            return GraphRefusal(502, INCOMPLETE)
        if not 200 <= status < 400:
            return refusal(status, headers, body)
        page = "html" in headers.get("content-type", "").lower()
        if page if self._raw else not isinstance(body, dict):
            return GraphRefusal(502, INCOMPLETE)
        return BatchReply(status, headers, body)

    def _failed(
        self, job: BatchJob, error: Transient, refused: GraphRefusal, todo: deque[BatchJob]
    ) -> Iterator[tuple[str, BatchReply | GraphRefusal]]:
        """The batch as a whole came to nothing: it is asked for again whole, then in halves, then alone; what
        fails alone while the server answers is refused."""
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
            self._before(job.tries + 1)
            todo.appendleft(replace(job, tries=job.tries + 1))
        else:
            yield job.names[0], refused

    def _before(self, tries: int) -> None:
        """Waits a little before the next attempt; the last one is made when the server surely answers, for an
        outage must not be blamed on a part."""
        self._client.wait(FIRST_WAIT * 3 ** (tries - 1))
        if tries == SINGLE_TRIES:
            self._client.probe()


def _reaction(outcome: BatchReply | GraphRefusal, job: BatchJob) -> str:
    """How a part is asked for again: "busy" after a while, "renew" with a new token, "suspect" alone; "" when
    its outcome is final."""
    if isinstance(outcome, BatchReply) or outcome.unconvertible or outcome.absent or outcome.lost:
        return ""
    if outcome.status == 401 and not job.renewed:
        return "renew"
    if outcome.code == INCOMPLETE or outcome.status >= 500 or outcome.status == 408:
        if outcome.busy and outcome.code != INCOMPLETE:
            return "busy"
        return "suspect" if job.tries < SINGLE_TRIES else ""
    return "busy" if outcome.busy else ""
