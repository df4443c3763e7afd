"""Who listens to a practice server hears of whole exchanges, and of no others."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable

import pytest
from servers.faulty.tap import MOST, Exchanged, Tapped
from starlette.types import Message, Receive, Scope, Send

BEGUN: Message = {"type": "http.request", "body": b"<a", "more_body": True}
ENDED: Message = {"type": "http.request", "body": b"/>"}
GONE: Message = {"type": "http.disconnect"}
START: Message = {"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/xml")]}
DONE: Message = {"type": "http.response.body", "body": b"<b/>"}


def told(asked: Iterable[Message], answered: Iterable[Message]) -> list[Exchanged]:
    """What a tap is told of one exchange. The application reads all that comes, then answers."""
    coming, found = list(asked), list[Exchanged]()

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        del scope
        while coming:
            await receive()
        for message in answered:
            await send(message)

    async def receive() -> Message:
        return coming.pop(0)

    async def send(message: Message) -> None:
        del message

    scope: Scope = {"type": "http", "method": "POST", "path": "/x", "query_string": b"", "headers": []}
    asyncio.run(Tapped(app, "Exchange", [found.append])(scope, receive, send))
    return found


@pytest.mark.parametrize("asked", [[BEGUN, ENDED], [BEGUN, ENDED, GONE]])
def test_a_whole_exchange_is_told_once(asked: list[Message]) -> None:
    (one,) = told(asked, [START, DONE])
    assert (one.request, one.status, one.content_type, one.answer) == (b"<a/>", 200, "text/xml", b"<b/>")


def test_an_application_may_answer_without_reading() -> None:
    assert [one.request for one in told([], [START, DONE])] == [b""]


@pytest.mark.parametrize("asked", [[GONE], [BEGUN, GONE]])
def test_a_request_whose_sender_died_is_none(asked: list[Message]) -> None:
    assert told(asked, [START, DONE]) == []


@pytest.mark.parametrize(
    "answered",
    [[START], [START, {**DONE, "more_body": True}], [START, {**DONE, "body": b"x" * (MOST + 1)}]],
    ids=["begun", "cut off", "too large"],
)
def test_what_is_no_whole_answer_is_not_told(answered: list[Message]) -> None:
    assert told([BEGUN, ENDED], answered) == []
