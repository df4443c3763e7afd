"""Read items by id: batches by bytes, one result per ref, and errors attributed to the right item.

A FetchPlan defines what one request asks and what its reply means; mails, records, occurrences and
attachments all come this way. A reply's results are paired by id. Its errors carry no id: they are attributed
only when they can mean nothing else (one result is missing, or all missing ones failed with the same code).
Otherwise the missing ones are asked for again in halves, down to single ones.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

from connectors.ews.client import EwsClient
from connectors.ews.errors import (
    BLOCKED,
    INCOMPLETE,
    EwsRefusal,
    incomplete,
    item_error,
    refusal_of,
    translated,
)
from connectors.ews.response_stream import ResponseMessage
from model.errors import Rejected, Transient
from model.protocols import Failed, Ref, key_of
from model.server_words import NOTHING

ANSWER = "GetItemResponseMessage"
UNKNOWN_SIZE = 64_000  # bytes assumed of an item without a stated size
LEAST_BYTES = 64_000
WAITED_OUT = frozenset({"busy", "unreachable"})
SUSPECT = frozenset({"timeout", "connection-cut", "server-error", "not-soap", INCOMPLETE})
WHOLE_TRIES, SINGLE_TRIES = 2, 3
SILENT_TRIES = 6
"""Attempts for one item that complete replies leave out: a server under load answers so for a while."""
FIRST_WAIT = 0.05
INTERNAL = frozenset({"ErrorInternalServerError", "ErrorUnknown", "ErrorUnknownRequest"})
T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)


@dataclass(frozen=True, slots=True)
class Again:
    """Hold a ref whose answer was useless: it is asked for once more, alone."""

    ref: Ref


class FetchPlan(Protocol[T_co]):
    """Define what one request asks, and how its response messages are read."""

    @property
    def answer(self) -> str:
        """Return the local name of the ResponseMessage elements."""
        ...

    def request(self, ids: Sequence[str]) -> str:
        """Return the request for these ids."""
        ...

    def about(self, message: ResponseMessage) -> str:
        """Return the id of what a message holds; "" when it holds nothing."""
        ...

    def read(self, message: ResponseMessage, ref: Ref, again: int) -> T_co | Failed | Again | None:
        """Return the result that a message holds.

        Args:
            message: the response message.
            ref: the ref that it answers.
            again: the number of useless answers before.

        Returns:
            None when `later` gives the result.
        """
        ...

    def refused(self, ref: Ref, code: str) -> bool:
        """Return True if the plan handles this refusal of one item: `later` gives its result."""
        ...

    def later(self) -> Iterator[T_co | Failed | Again]:
        """Yield the delayed results, each once, after a reply was read."""
        ...

    def lessen(self, ids: Sequence[str], refusals: Sequence[EwsRefusal]) -> bool:
        """Return True if `request` asks less from now on, because this server refuses part of it."""
        ...


@dataclass(frozen=True, slots=True)
class FetchJob:
    """Hold refs to ask for in one request.

    Attributes:
        refs: the refs.
        tries: how often the request failed.
        again: how often the answer was useless.
    """

    refs: tuple[Ref, ...]
    tries: int = 0
    again: int = 0


class PageSize:
    """Adapt how much one request asks for: halve it after a timeout, grow it after successes."""

    def __init__(self, items: int, size: int) -> None:
        self._most = (items, size)
        self._items = items
        self._bytes = size

    def shrink(self) -> None:
        """Halve the size of a request."""
        self._items = max(1, self._items // 2)
        self._bytes = max(min(LEAST_BYTES, self._most[1]), self._bytes // 2)

    def grow(self) -> None:
        """Increase the size of a request by a quarter, up to the configured size."""
        self._items = min(self._most[0], self._items + max(1, self._items // 4))
        self._bytes = min(self._most[1], self._bytes + self._bytes // 4)

    def batches(self, refs: Iterable[Ref]) -> Iterator[tuple[Ref, ...]]:
        """Yield consecutive refs within the present size; a ref that is too large is alone."""
        batch: list[Ref] = []
        size = 0
        for ref in refs:
            weight = UNKNOWN_SIZE if ref.size is None else ref.size
            if batch and (len(batch) >= self._items or size + weight > self._bytes):
                yield tuple(batch)
                batch, size = [], 0
            batch.append(ref)
            size += weight
        if batch:
            yield tuple(batch)


class Fetch(Generic[T]):
    """Read some refs by one plan."""

    def __init__(self, client: EwsClient, pace: PageSize, plan: FetchPlan[T]) -> None:
        self._client = client
        self._pace = pace
        self._plan = plan
        self._patience = client.patience()
        self._todo: deque[FetchJob] = deque()
        self._asked = 0
        self._answered = False

    def run(self, refs: Iterable[Ref]) -> Iterator[T | Failed]:
        """Yield one result per ref, in any order.

        Raises:
            Transient, Blocked: the server cannot be asked, after the retries.
        """
        for batch in self._pace.batches(refs):
            self._todo.append(FetchJob(batch))
            self._asked += len(batch)
            while self._todo:
                yield from self._attempt(self._todo.popleft())

    def _attempt(self, job: FetchJob) -> Iterator[T | Failed]:
        """Send one job's request and yield its results."""
        left = {ref.id: ref for ref in job.refs}
        refusals: list[EwsRefusal] = []
        request = self._plan.request(list(left))
        try:
            with closing(self._client.ask(request, self._plan.answer)) as messages:
                for message in messages:
                    refusal = refusal_of(message.element)
                    if refusal is not None:
                        refusals.append(refusal)
                    else:
                        yield from self._read(message, left, job.again)
        except Transient as error:
            yield from self._results_of(self._plan.later(), job.again)
            rest = FetchJob(tuple(left.values()), job.tries, job.again)
            yield from self._handle_failure(rest, error, len(left) < len(job.refs))
            return
        except EwsRefusal as refusal:
            refusals = [refusal]
        yield from self._results_of(self._plan.later(), job.again)
        yield from self._handle_refusals(FetchJob(tuple(left.values()), job.tries, job.again), refusals)

    def _read(self, message: ResponseMessage, left: dict[str, Ref], again: int) -> Iterator[T | Failed]:
        ref = left.pop(self._plan.about(message), None)
        result = None if ref is None else self._plan.read(message, ref, again)
        if result is not None:
            yield from self._results_of((result,), again)

    def _results_of(self, results: Iterable[T | Failed | Again], again: int) -> Iterator[T | Failed]:
        """Yield results; queue those that must be asked for again."""
        for result in results:
            if isinstance(result, Again):
                self._todo.append(FetchJob((result.ref,), again=again + 1))
            else:
                self._patience.progressed()
                self._answered = True
                yield result

    def _handle_refusals(self, job: FetchJob, refusals: list[EwsRefusal]) -> Iterator[T | Failed]:
        """Settle what a complete reply left open."""
        if not job.refs:
            self._pace.grow()
            return
        if not refusals:
            yield from self._handle_failure(job, incomplete(), False)
        elif any(item.busy for item in refusals):
            delays = [item.after for item in refusals if item.after is not None]
            error = Transient("busy", "the server asked to wait", after=max(delays, default=None))
            error.quoting(next((item.said for item in refusals if item.busy), NOTHING))
            self._client.pause(self._patience, error)
            mixed = not all(item.busy for item in refusals)
            self._todo.extendleft(reversed(_halves(job) if mixed else [job]))
        elif self._plan.lessen([ref.id for ref in job.refs], refusals):
            self._todo.appendleft(job)
        elif len(job.refs) == 1 or (
            len(refusals) == len(job.refs) and len({item.code for item in refusals}) == 1
        ):
            yield from self._apply_refusal(job, refusals[0])
        else:
            self._split(job, refusals[0])

    def _split(self, job: FetchJob, refusal: EwsRefusal) -> None:
        """Ask again in halves, because it is unclear which item was refused."""
        if refusal.whole and refusal.code in BLOCKED:
            raise translated(refusal) from None
        self._todo.extendleft(reversed(_halves(job)))

    def _apply_refusal(self, job: FetchJob, refusal: EwsRefusal) -> Iterator[T | Failed]:
        """Settle refs that all met the same refusal."""
        code = refusal.code
        if code in BLOCKED and (refusal.whole or code != "ErrorAccessDenied"):
            raise translated(refusal) from None
        if code in INTERNAL:
            error = Transient("server-error", "the server reported an internal error")
            yield from self._handle_failure(job, error.quoting(refusal.said), False)
            return
        for ref in job.refs:
            if not self._plan.refused(ref, code):
                yield Failed(key_of(ref.id), item_error(refusal))
        yield from self._results_of(self._plan.later(), job.again)

    def _handle_failure(self, job: FetchJob, error: Transient, progressed: bool) -> Iterator[T | Failed]:
        """Ask again after a request that failed or ended early: whole, then in halves, then alone.

        An item that fails alone while the server answers is a poison item.
        """
        if not job.refs:
            return
        if error.code == "timeout":
            self._pace.shrink()
            self._client.probe()
        if error.code in WAITED_OUT:
            self._client.pause(self._patience, error)
            self._todo.appendleft(job)
        elif error.code not in SUSPECT:
            raise error
        elif progressed:
            self._todo.appendleft(FetchJob(job.refs, again=job.again))
        elif error.code == INCOMPLETE and len(job.refs) == 1:
            yield from self._handle_silence(job, error)
        elif len(job.refs) > 1 and (job.tries + 1 >= WHOLE_TRIES or error.code == "timeout"):
            self._todo.extendleft(reversed(_halves(job)))
        elif job.tries + 1 < (SINGLE_TRIES if len(job.refs) == 1 else WHOLE_TRIES):
            self._client.wait(FIRST_WAIT * 4**job.tries)
            self._todo.appendleft(FetchJob(job.refs, job.tries + 1, job.again))
        else:
            self._client.probe()
            yield _poison(job.refs[0], error)

    def _handle_silence(self, job: FetchJob, error: Transient) -> Iterator[Failed]:
        """Handle an item that the server's answers leave out.

        The item is blamed when this repeats while it was asked for alone, or while others were answered.
        Otherwise the error is raised.
        """
        if job.tries + 1 < SILENT_TRIES:
            self._client.pause(self._patience, error)
            self._todo.appendleft(FetchJob(job.refs, job.tries + 1, job.again))
            return
        self._client.probe()
        if self._asked > 1 and not self._answered:
            raise error
        yield _poison(job.refs[0], error)


def _poison(ref: Ref, why: Transient) -> Failed:
    """Return the failure for an item at which the server fails."""
    error = Rejected("poison-item", "the server fails whenever this item is read")
    return Failed(key_of(ref.id), error.quoting(why.words))


def _halves(job: FetchJob) -> list[FetchJob]:
    middle = len(job.refs) // 2
    return [FetchJob(part, again=job.again) for part in (job.refs[:middle], job.refs[middle:]) if part]
