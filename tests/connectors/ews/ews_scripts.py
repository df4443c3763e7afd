"""What the scripted Exchange holds, how it answers, and what comes of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from ews_responder import (
    Answer,
    Request,
    Script,
    envelope,
    items,
    message,
    root_folder,
)

from connectors.ews.source import EwsSource
from connectors.settings import Account
from model.kinds import Kind
from model.protocols import Container, Failed, Native, Ref, key_of

INBOX = Container(Kind.MAIL, "INBOX", ("Inbox",))
ACCOUNT = Account(login="anna", address="anna@example.org")
BODIES = {f"id{number}=": f"Subject: {number}\r\n\r\nbody {number}".encode() for number in range(10)}
REFS = [Ref(id_, "old", size=len(body)) for id_, body in BODIES.items()]

Open = Callable[..., EwsSource]


def unwrapped(source: EwsSource) -> EwsSource:
    """The source itself, behind the wrapper that every run puts around it."""
    inner = vars(source)["_side"]
    assert isinstance(inner, EwsSource)
    return inner


def outcome(results: Iterator[Native | Failed]) -> dict[bytes, bytes | str]:
    """Each ref's result, by key: its bytes, or the code it failed with. A second result is an error."""
    found: dict[bytes, bytes | str] = {}
    for one in results:
        key = one.key if isinstance(one, Failed) else key_of(one.ref.id)
        assert key not in found
        if isinstance(one, Failed):
            found[key] = one.error.code
        else:
            assert one.body is not None
            found[key] = one.body().read()
    return found


def expected(**codes: str) -> dict[bytes, bytes | str]:
    return {key_of(id_): codes.get(id_.rstrip("="), body) for id_, body in BODIES.items()}


def friendly(request: Request) -> Answer:
    return items(request, BODIES) if request.operation == "GetItem" else root_folder()


def flawed(flaw: Callable[[Request, int], Answer | None]) -> Script:
    """A friendly server with a flaw; the flaw sees the GetItem request and how many came before."""
    count = 0

    def script(request: Request) -> Answer:
        nonlocal count
        if request.operation != "GetItem":
            return friendly(request)
        count += 1
        return flaw(request, count - 1) or friendly(request)

    return script


def sync(changes: str, state: str, last: bool = True) -> Answer:
    content = (
        f"<m:SyncState>{state}</m:SyncState>"
        f"<m:IncludesLastItemInRange>{str(last).lower()}</m:IncludesLastItemInRange>"
        f"<m:Changes>{changes}</m:Changes>"
    )
    return Answer(envelope("SyncFolderItems", message("SyncFolderItems", content)))


def change(kind: str, id_: str, key: str, rest: str = "") -> str:
    found = f'<t:ItemId Id="{id_}" ChangeKey="{key}"/>'
    if kind in {"Delete", "ReadFlagChange"}:
        return f"<t:{kind}>{found}{rest}</t:{kind}>"
    return f"<t:{kind}><t:MeetingRequest>{found}{rest}</t:MeetingRequest></t:{kind}>"
