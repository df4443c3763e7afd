"""Whatever a server does to its answers, a step gets one for each item that it asks for."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import pytest

from engine.opening.one_answer import (
    BY_HREF,
    BY_REF,
    LISTING,
    WRITING,
    CountsUnasked,
    one_answer,
)
from engine.pacing.call_metrics import CALLS, LISTINGS, STREAMS, Meter, metered
from model import optional_protocols
from model.errors import Rejected, Transient
from model.kinds import Kind
from model.protocols import Amendment, Container, Failed, Listed, Native, Ref, Stored, key_of

NAMES = ("a", "b", "c")
PLACE = Container(Kind.MAIL, "inbox", ("Inbox",))
BROKEN = Transient("server-away")
CLEAN = {*BY_REF, *BY_HREF, *WRITING, *LISTING, "look_up"}


class Server:
    """Answers what it was given, and notes what it is asked for."""

    def __init__(self, answers: Iterable[Any]) -> None:
        self.answers = answers
        self.asked: list[tuple[Any, ...]] = []
        self.closed = False
        self.drawn = 0

    def __getattr__(self, name: str) -> Callable[..., Any]:
        if name not in CALLS or name == "unasked":
            raise AttributeError(name)
        return lambda *given, **named: self._ask(name, given, named)

    def _ask(self, name: str, given: tuple[Any, ...], named: dict[str, Any]) -> Any:
        self.asked.append((name, *given, *named.values()))
        return self._answers() if name in (*STREAMS, *LISTINGS) else (name, given)

    def _answers(self) -> Iterator[Any]:
        try:
            for answer in self.answers:
                if isinstance(answer, Exception):
                    raise answer
                self.drawn += 1
                yield answer
        finally:
            self.closed = True


def answer_of(call: str, name: str) -> Any:
    """What a server answers about an item in this call."""
    if call in BY_REF:
        return Native(Ref(name, "1"), "rfc822", {})
    if call == "digests":
        return name, name.encode()
    if call in BY_HREF:
        return name, Native(Ref(name, "1"), "rfc822", {})
    if call in WRITING:
        return Stored(key_of(name), name)
    return (name, b"") if call == "headers" else Listed(name, 1)


def ask(side: Any, call: str, names: Sequence[str] = NAMES) -> Iterator[Any]:
    """Ask for these items in this call."""
    if call in BY_REF:
        refs = [Ref(name, "1") for name in names]
        stream = side.fetch(PLACE, refs) if call == "fetch" else side.fetch_versions(PLACE, refs, 2)
    elif call in WRITING:
        stored = [Stored(key_of(name), name) for name in names]
        given = [Amendment(one, frozenset()) for one in stored] if call == "amend" else stored
        stream = getattr(side, call)("inbox", given)
    elif call in LISTING:
        stream = getattr(side, call)("inbox")
    else:
        stream = getattr(side, call)("inbox", names)
    assert isinstance(stream, Iterator)
    return stream


def named(call: str, answer: Any) -> str:
    """The item that an answer is about."""
    names = {key_of(name): name for name in (*NAMES, "stranger")}
    if isinstance(answer, Failed | Stored):
        return names[answer.key]
    if isinstance(answer, tuple):
        return str(answer[0])
    return str(answer.ref.id if call in BY_REF else answer.href)


def heard(call: str, server: Server) -> list[str]:
    """The items of the answers that come through the wrapper, in their order."""
    return [named(call, answer) for answer in ask(one_answer(server), call)]


def server_of(call: str, *names: str) -> Server:
    return Server([answer_of(call, name) for name in names])


each_call = pytest.mark.parametrize("call", sorted(CLEAN))


@each_call
def test_sound_answers_come_as_they_are_in_their_order(call: str) -> None:
    server = server_of(call, "c", "a", "b")
    answers = list(ask(one_answer(server), call))
    assert answers == server.answers
    assert server.closed


@each_call
def test_of_two_answers_the_first_one_counts(call: str) -> None:
    assert heard(call, server_of(call, "b", "b", "a", "c", "b", "a")) == ["b", "a", "c"]


@pytest.mark.parametrize("call", sorted(CLEAN - {*LISTING}))
def test_an_answer_that_was_not_asked_for_is_left_out(call: str) -> None:
    assert heard(call, server_of(call, "stranger", "b", "a", "stranger", "c")) == ["b", "a", "c"]


@pytest.mark.parametrize(
    ("call", "code"),
    [*((call, "source-silent") for call in BY_REF), *((call, "target-read-empty") for call in BY_HREF)],
)
def test_silence_about_an_item_is_a_passing_fault_that_comes_last(call: str, code: str) -> None:
    *sound, first, second = ask(one_answer(server_of(call, "b")), call)
    assert sound == [answer_of(call, "b")]
    assert [named(call, first), named(call, second)] == ["a", "c"]
    for silence in (first, second):
        failure = silence[1] if isinstance(silence, tuple) else silence
        assert isinstance(failure, Failed)
        assert isinstance(failure.error, Transient)
        assert failure.error.code == code


@pytest.mark.parametrize("call", [*WRITING, *LISTING, "look_up"])
def test_what_was_done_or_exists_is_not_guessed(call: str) -> None:
    assert heard(call, server_of(call, "b")) == ["b"]


@each_call
def test_an_error_is_raised_when_it_comes_and_nothing_is_said_of_silence(call: str) -> None:
    server = Server([answer_of(call, "b"), BROKEN])
    stream = ask(one_answer(server), call)
    assert named(call, next(stream)) == "b"
    with pytest.raises(Transient) as caught:
        next(stream)
    assert caught.value is BROKEN
    assert list(stream) == []
    assert server.closed


@each_call
def test_a_stream_that_is_left_early_is_closed(call: str) -> None:
    server = server_of(call, *NAMES)
    stream: Any = ask(one_answer(server), call)
    next(stream)
    assert not server.closed
    stream.close()
    assert server.closed


@each_call
def test_no_answer_is_fetched_before_it_is_wanted(call: str) -> None:
    server = server_of(call, *NAMES)
    stream = ask(one_answer(server), call)
    assert server.drawn == 0
    next(stream)
    assert server.drawn == 1


@pytest.mark.parametrize("call", sorted(CLEAN - {*LISTING, *WRITING}))
def test_the_server_is_not_asked_for_nothing(call: str) -> None:
    server = server_of(call, "stranger")
    assert list(ask(one_answer(server), call, ())) == []
    assert server.asked == []


@pytest.mark.parametrize("call", BY_REF)
def test_a_failure_is_an_answer(call: str) -> None:
    gone = Failed(key_of("a"), Rejected("vanished"))
    answers = list(ask(one_answer(Server([gone, gone])), call, ("a",)))
    assert answers == [gone]


@pytest.mark.parametrize("call", WRITING)
def test_a_failed_write_is_an_answer(call: str) -> None:
    refused = Failed(key_of("a"), Rejected("quota-exceeded"))
    assert list(ask(one_answer(Server([refused, answer_of(call, "a")])), call, ("a",))) == [refused]


def test_items_without_a_key_get_as_many_answers_as_there_are_items() -> None:
    """As orphans, which belong to no row."""
    orphans = [Stored(b"", name) for name in NAMES]
    assert list(one_answer(Server([*orphans, Stored(b"", "d")])).remove("inbox", orphans)) == orphans


def test_an_item_that_is_asked_for_twice_is_read_once() -> None:
    server = server_of("read", "a")
    assert [name for name, _ in one_answer(server).read("inbox", ["a", "a"])] == ["a"]
    assert server.asked == [("read", "inbox", ["a"])]


@pytest.mark.parametrize("call", BY_REF)
def test_answers_beyond_the_first_are_counted_by_container(call: str) -> None:
    side = one_answer(server_of(call, "a", "a", "stranger", "b", "c"))
    assert isinstance(side, CountsUnasked)
    list(ask(side, call))
    assert side.unasked() == {"inbox": 2}


def test_options_of_a_call_are_passed_on() -> None:
    server = server_of("fetch", "a")
    list(one_answer(server).fetch(PLACE, [Ref("a", "1")], bodies=False))
    assert server.asked == [("fetch", PLACE, [Ref("a", "1")], False)]


@pytest.mark.parametrize("call", sorted({*CALLS} - CLEAN - {"unasked"}))
def test_every_other_call_is_passed_on(call: str) -> None:
    server = Server([1, 2, 2, 1])
    result = getattr(one_answer(server), call)("x")
    assert server.asked == [(call, "x")]
    assert (list(result) == [1, 2, 2, 1]) if isinstance(result, Iterator) else result == (call, ("x",))


def test_it_supports_what_the_side_supports_also_when_it_is_measured() -> None:
    class Hashing:
        capabilities = "facts"

        def digests(self, href: str, hrefs: Iterable[str]) -> Iterator[tuple[str, bytes]]:
            yield from ((name, href.encode()) for name in hrefs)

    for side in (one_answer(Hashing()), metered(one_answer(Hashing()), Meter())):
        assert isinstance(side, optional_protocols.SupportsDigests)
        assert not isinstance(side, optional_protocols.SupportsQuota)
        assert side.capabilities == "facts"
        assert list(side.digests("x", ["a"])) == [("a", b"x")]
    assert isinstance(metered(one_answer(Hashing()), Meter()), CountsUnasked)


def test_each_clean_call_is_one_that_a_side_may_have() -> None:
    assert {*CALLS} > CLEAN
