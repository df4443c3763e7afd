"""What the targets in memory share whose server judges every change by a condition: files and DAV."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping
from itertools import islice
from typing import Generic, Protocol, TypeVar

from memory.line import Line, Step, not_when_live
from model.errors import Rejected, Transient
from model.protocols import Amendment, Failed, Guard, Identity, Item, Native, Stored

BATCH = 5
ROUNDS = 8

RequestT = TypeVar("RequestT")
AnswerT_co = TypeVar("AnswerT_co", covariant=True)


class Store(Protocol[RequestT, AnswerT_co]):
    """The account below such a target; late: see MemoryCabinet."""

    id: str
    addresses: frozenset[str]
    late: bool
    in_flight: list[RequestT]

    def answer(self, request: RequestT) -> AnswerT_co: ...


class MemoryConditional(ABC, Generic[RequestT, AnswerT_co]):
    """One change is one request and its answer; a refusal is settled by what is there then."""

    def __init__(self, store: Store[RequestT, AnswerT_co], guard: Guard, step: Step, *, live: bool) -> None:
        self._store = store
        self._guard = guard
        self._line = Line(step)
        self._live = live

    def identity(self) -> Identity:
        self._line.before("target.identity")
        self._line.after("target.identity")
        return Identity("memory", self._store.id, self._store.addresses)

    def position(self, href: str) -> str:
        self._line.before("target.position")
        self._found(href)
        self._line.after("target.position")
        return ":0"

    def amend(self, href: str, changes: Iterable[Amendment]) -> Iterator[Stored | Failed]:
        self._not_when_live()
        for change in changes:
            there = self._holds(href, change.stored.href)
            refused = Rejected("flag-not-allowed" if change.flags else "vanished")
            yield change.stored if there and not change.flags else Failed(change.stored.key, refused)

    def read(self, href: str, hrefs: Iterable[str]) -> Iterator[tuple[str, Native | Failed]]:
        wanted = iter(hrefs)
        while batch := list(islice(wanted, BATCH)):
            self._line.before("target.read")
            results = [(name, self._native(href, name)) for name in batch]
            self._line.after("target.read")
            yield from self._line.shuffled(results)

    def label(self, labels: Mapping[str, str]) -> bool:
        """False: files have no keywords, and categories stand in the objects."""
        del labels
        self._line.before("target.label")
        self._line.after("target.label")
        return False

    def close(self) -> None:
        self._line.closed = True

    def _not_when_live(self) -> None:
        not_when_live(self._live)

    def _sent(self, name: str, request: RequestT) -> AnswerT_co:
        """One request that changes something, and its answer; when late, neither."""
        self._guard()
        self._line.before(name)
        if self._store.late:
            self._store.in_flight.append(request)
            raise Transient("connection-lost")
        answer = self._store.answer(request)
        self._line.after(name)
        return answer

    def _written(self, href: str, item: Item) -> Stored | Failed:
        try:
            return self._settled(self._first(href, item), item)
        except Rejected as error:
            return Failed(item.key, error)

    def _settled(self, aim: RequestT | Stored, item: Item) -> Stored:
        for _ in range(ROUNDS):
            if isinstance(aim, Stored):
                return aim
            aim = self._round(aim, item)
        raise Rejected("changed-at-target", "something else writes to it all the time")

    @abstractmethod
    def _found(self, href: str) -> object:
        """The container; raises Blocked when it is gone."""

    @abstractmethod
    def _holds(self, href: str, name: str) -> bool:
        """Whether an item of this name is there."""

    @abstractmethod
    def _native(self, href: str, name: str) -> Native | Failed: ...

    @abstractmethod
    def _first(self, href: str, item: Item) -> RequestT | Stored:
        """What to send first; Stored: there is nothing left to do."""

    @abstractmethod
    def _round(self, aim: RequestT, item: Item) -> RequestT | Stored:
        """Sends it; after a refusal what to send next."""
