"""Writing over several connections: what is told when one of them fails."""

from __future__ import annotations

import io
import threading
from collections.abc import Iterable, Iterator
from typing import cast

import pytest

from connectors.imap import parallel_append
from connectors.imap.append import Appender, PreparedAppend
from connectors.imap.parallel_append import ExtraSessions
from connectors.imap.session import Session
from model.errors import Blocked, MigrationError, Rejected, Transient
from model.kinds import Kind
from model.protocols import Failed, Item, Stored

PART = 2


class FakeAppender:
    """Parts of two; stores one item of a part before it fails."""

    def __init__(self, name: str, error: MigrationError | None = None) -> None:
        self.name = name
        self.error = error
        self.stored: list[bytes] = []

    def parts(self, items: Iterable[Item], refused: list[Failed]) -> Iterator[list[PreparedAppend]]:
        part: list[PreparedAppend] = []
        for item in items:
            if not item.size:
                refused.append(Failed(item.key, Rejected("empty-message")))
                continue
            part.append(PreparedAppend(item, b"", item.size, b"x"))
            if len(part) == PART:
                yield part
                part = []
        if part:
            yield part

    def store(self, part: list[PreparedAppend]) -> Iterator[Stored | Failed]:
        for prepared in part:
            self.stored.append(prepared.item.key)
            yield Stored(prepared.item.key, self.name)
            if self.error is not None:
                raise self.error


def items(*sizes: int) -> list[Item]:
    return [Item(Kind.MAIL, bytes([number]), b"", size, io.BytesIO) for number, size in enumerate(sizes)]


def written(
    first: FakeAppender, others: list[FakeAppender], what: list[Item]
) -> tuple[list[Stored | Failed], MigrationError | None]:
    told: list[Stored | Failed] = []
    try:
        told.extend(
            parallel_append.write(cast("Appender", first), lambda: cast("list[Appender]", others), what)
        )
    except MigrationError as error:
        return told, error
    return told, None


def test_what_no_command_may_take_is_told_of_beside_an_error() -> None:
    error = Transient("connection-lost")
    told, raised = written(FakeAppender("1", error), [FakeAppender("2")], items(0, 5, 5, 5, 5))
    assert raised is error
    assert [result.key for result in told if isinstance(result, Failed)] == [bytes([0])]


def test_every_item_is_told_of_once_whatever_the_number_of_parts() -> None:
    for count in range(12):
        first, second = FakeAppender("1"), FakeAppender("2")
        told, error = written(first, [second], items(*[5] * count))
        assert error is None
        assert sorted(result.key for result in told) == [bytes([number]) for number in range(count)]
        assert bool(second.stored) is (count > PART)


def test_one_part_needs_no_second_connection() -> None:
    first = FakeAppender("1")

    def never() -> list[Appender]:
        raise AssertionError("asked for another connection")

    assert len(list(parallel_append.write(cast("Appender", first), never, items(5, 5)))) == 2


def test_a_server_that_allows_one_connection_gets_everything_over_it() -> None:
    first = FakeAppender("1")
    told, _ = written(first, [], items(*[5] * 7))
    assert len(first.stored) == len(told) == 7


def test_what_no_command_takes_is_told_of_too() -> None:
    told, _ = written(FakeAppender("1"), [FakeAppender("2")], items(0, 5, 5, 5, 0))
    assert sorted(result.key for result in told if isinstance(result, Failed)) == [b"\0", b"\4"]
    assert len(told) == 5


@pytest.mark.parametrize("failing", [0, 1])
def test_what_was_stored_beside_an_error_is_told_before_it_is_raised(failing: int) -> None:
    appenders = [FakeAppender("1"), FakeAppender("2")]
    appenders[failing].error = Transient("connection-lost")
    told, error = written(appenders[0], [appenders[1]], items(*[5] * 8))
    assert error is not None
    assert error.code == "connection-lost"
    assert sorted(result.key for result in told) == sorted(appenders[0].stored + appenders[1].stored)
    assert len(appenders[failing].stored) == 1, "it began no other part"
    assert len(appenders[1 - failing].stored) % PART == 0, "the other one ended the part that it had begun"


def test_what_decides_about_the_mailbox_is_raised_before_what_passes() -> None:
    first = FakeAppender("1", Transient("connection-lost"))
    second = FakeAppender("2", Blocked("over-quota"))
    _, error = written(first, [second], items(*[5] * 4))
    assert error is not None
    assert error.code == "over-quota"


class FakeSession:
    def __init__(self, error: MigrationError | None = None) -> None:
        self.error = error
        self.closed = False

    @property
    def connection(self) -> object:
        if self.error is not None:
            raise self.error
        return self

    def close(self) -> None:
        self.closed = True


def test_connections_that_the_server_refuses_are_done_without() -> None:
    sessions = [FakeSession(), FakeSession(Transient("server-busy")), FakeSession()]
    extra = ExtraSessions(cast("tuple[Session, ...]", tuple(sessions)))
    extra.connected()
    joined(extra)
    assert extra.connected() == (sessions[0],)
    assert [session.closed for session in sessions] == [False, True, False]


def joined(extra: ExtraSessions) -> None:
    assert extra.connecting is not None
    extra.connecting.join(10)


def test_nothing_waits_for_a_connection_that_is_not_ready_yet() -> None:
    answer = threading.Event()

    class Slow(FakeSession):
        @property
        def connection(self) -> object:
            answer.wait(10)
            return self

    extra = ExtraSessions(cast("tuple[Session, ...]", (Slow(),)))
    assert extra.connected() == ()
    first = extra.connecting
    assert extra.connected() == ()
    assert extra.connecting is first, "it connects once"
    answer.set()
    joined(extra)
    assert len(extra.connected()) == 1


@pytest.mark.parametrize(
    ("count", "connections", "most", "expected"),
    [
        (100, 2, 200, 200),
        (101, 2, 200, 51),
        (200, 2, 200, 100),
        (200, 4, 200, 50),
        (900, 2, 200, 200),
        (0, 2, 7, 7),
    ],
)
def test_many_messages_are_divided_among_the_connections(
    count: int, connections: int, most: int, expected: int
) -> None:
    assert parallel_append.most_in_one(count, connections, most) == expected
