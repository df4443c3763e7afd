"""Give each question one answer, whatever a server does to it.

A server may answer about an item twice, about an item that was not asked for, or not at all. Each side that
is opened is wrapped here, so that no step has to expect that.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping
from typing import Any, Protocol, TypeVar, cast, runtime_checkable

from engine.context.answers import SILENT, UNREAD, key_in
from engine.pacing.call_metrics import CALLS
from model.errors import Transient
from model.protocols import Amendment, Container, Failed, Item, Native, Ref, Stored, key_of

T = TypeVar("T")
UNASKED = "source-unasked"
"""The event of a source that gave answers that it was not asked for."""
BY_REF = ("fetch", "fetch_versions")
BY_HREF = ("read", "read_links", "digests")
WRITING = ("write", "amend", "remove")
LISTING = ("listing", "whole", "headers")


@runtime_checkable
class CountsUnasked(Protocol):
    """Tell how many answers were left out."""

    def unasked(self) -> Mapping[str, int]:
        """Return how many answers of a source were left out so far, by the id of their container."""


class OneAnswerSide:
    """Wrap a source or a target: the same calls, with clean answers. The wrapped side stays as it is.

    It has the calls that the wrapped side has and no other, see engine.pacing.call_metrics.MeteredSide.

    fetch, fetch_versions, read, read_links and digests yield exactly one answer for each item that they are
    asked for: the first one, in the order in which the answers arrive. When the server has nothing more to
    say, each item without an answer is Failed with Transient: `source-silent`, or `target-read-empty`. If no
    item is asked for, the server is not asked.

    write, amend and remove yield at most one answer for each item. What has none is in doubt as after an
    error: it may have been done.

    listing, whole and headers yield each item once, and look_up each item that it is asked for.

    Every other call is passed on. An error of a stream is raised when it comes, and nothing is said of
    silence then. A stream that is not read to its end is closed. Nothing of a stream is held but keys and
    hrefs: those that are awaited, and those that a listing named.
    """

    def __init__(self, side: Any) -> None:
        self._side = side
        self._unasked = Counter[str]()
        cleaned: dict[str, Callable[[Any], Callable[..., Any]]] = {
            **dict.fromkeys(BY_REF, self._by_ref),
            **dict.fromkeys(BY_HREF, _by_href),
            **dict.fromkeys(WRITING, _writing),
            **dict.fromkeys(LISTING, _listing),
            "look_up": _looking_up,
        }
        for name in CALLS:
            call = getattr(side, name, None)
            if call is not None:
                self.__dict__[name] = cleaned[name](call) if name in cleaned else call

    @property
    def capabilities(self) -> Any:
        """The facts about the server; see model.protocols."""
        return self._side.capabilities

    def unasked(self) -> Mapping[str, int]:
        """Implement CountsUnasked."""
        return self._unasked

    def _by_ref(self, call: Callable[..., Iterable[Native | Failed]]) -> Callable[..., Any]:
        def fetch(
            container: Container, refs: Iterable[Ref], *more: Any, **named: Any
        ) -> Iterator[Native | Failed]:
            asked = list(refs)
            if not asked:
                return iter(())
            return _once(
                call(container, asked, *more, **named),
                Counter(key_of(ref.id) for ref in asked),
                key_in,
                silent=lambda key: Failed(key, Transient(SILENT, "the source does not answer about an item")),
                left_out=lambda: self._unasked.update((container.id,)),
            )

        return fetch


def one_answer(side: T) -> T:
    """Return a wrapper of the same interface, whose answers are clean; see OneAnswerSide."""
    return cast(T, OneAnswerSide(side))


def _by_href(call: Callable[..., Iterable[tuple[str, Any]]]) -> Callable[..., Any]:
    def read(href: str, hrefs: Iterable[str]) -> Iterator[tuple[str, Any]]:
        asked = list(dict.fromkeys(hrefs))
        if not asked:
            return iter(())
        return _once(
            call(href, asked),
            Counter(asked),
            _first,
            silent=lambda name: (name, Failed(key_of(name), Transient(UNREAD))),
        )

    return read


def _writing(call: Callable[..., Iterable[Stored | Failed]]) -> Callable[..., Any]:
    def write(href: str, asked: Iterable[Item | Amendment | Stored]) -> Iterator[Stored | Failed]:
        items = list(asked)
        keys = Counter(item.stored.key if isinstance(item, Amendment) else item.key for item in items)
        return _once(call(href, items), keys, lambda answer: answer.key)

    return write


def _looking_up(call: Callable[..., Iterable[Any]]) -> Callable[..., Any]:
    def look_up(href: str, names: Iterable[str]) -> Iterator[Any]:
        asked = list(dict.fromkeys(names))
        return _once(call(href, asked), Counter(asked), _href) if asked else iter(())

    return look_up


def _listing(call: Callable[..., Iterable[Any]]) -> Callable[..., Any]:
    def listing(*given: Any, **named: Any) -> Iterator[Any]:
        return _first_of_each(call(*given, **named))

    return listing


def _first(answer: tuple[str, Any]) -> str:
    return answer[0]


def _href(listed: Any) -> Any:
    return listed[0] if isinstance(listed, tuple) else listed.href  # headers() yields (href, lines)


def _once(
    stream: Iterable[T],
    awaited: Counter[Any],
    name_of: Callable[[T], Hashable],
    *,
    silent: Callable[[Any], T] | None = None,
    left_out: Callable[[], None] | None = None,
) -> Iterator[T]:
    """Yield the first answer about each item.

    Args:
        stream: the answers.
        awaited: how many answers there are to be, by the name of an item; counted down.
        name_of: returns the name of an answer's item.
        silent: returns what stands for the answer that did not come; None if nothing does.
        left_out: called for every other answer.
    """
    try:
        for answer in stream:
            name = name_of(answer)
            if awaited[name] > 0:
                awaited[name] -= 1
                yield answer
            elif left_out is not None:
                left_out()
    finally:
        _close(stream)
    if silent is not None:
        yield from map(silent, awaited.elements())


def _first_of_each(stream: Iterable[T]) -> Iterator[T]:
    named: set[str] = set()
    try:
        for item in stream:
            href = _href(item)
            if href not in named:
                named.add(href)
                yield item
    finally:
        _close(stream)


def _close(stream: object) -> None:
    if (close := getattr(stream, "close", None)) is not None:
        close()
