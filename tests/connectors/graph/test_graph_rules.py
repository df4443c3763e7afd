"""The rules of an inbox are one container, listed whole; what is asked for nothing else lists no folder."""

from __future__ import annotations

import json

from graph_script import HOME, Answer, Ask, Cloud, Open, error

from model.kinds import Kind
from model.protocols import Native

RULE = {"@odata.etag": "W/1", "id": "r/1", "displayName": "Eins", "sequence": 1, "isEnabled": True}


def test_rules_are_listed_and_fetched(source: Open) -> None:
    def answer(ask: Ask) -> Answer:
        known = ask.path.removeprefix(HOME) == "/mailFolders/inbox/messageRules"
        return Answer({"value": [RULE]}) if known else error("ErrorAccessDenied", 403)

    opened = source(Cloud(answer), kinds=frozenset({Kind.SETTINGS}))
    container, _, _ = opened.containers()
    (page,) = opened.changes(container, None)
    assert page.full
    (native,) = opened.fetch(container, page.refs)
    assert isinstance(native, Native)
    assert native.body is not None
    with native.body() as stream:
        item = json.load(stream)["item"]
    assert item == {name: value for name, value in RULE.items() if not name.startswith("@")}
    (again,) = opened.changes(container, page.cursor)
    assert (again.refs, again.cursor) == ((), page.cursor)


def test_a_reply_is_listed_once_for_each_side(source: Open) -> None:
    """What a server states of a schedule that does not act is no change."""
    stated = {"@odata.context": "x", "status": "alwaysEnabled", "externalReplyMessage": "Away"}
    day = 0

    def answer(ask: Ask) -> Answer:
        nonlocal day
        day += 1
        known = ask.path.removeprefix(HOME) == "/mailboxSettings"
        today = {"scheduledStartDateTime": {"dateTime": f"2026-12-0{day}", "timeZone": "UTC"}}
        settings = {"automaticRepliesSetting": stated | today}
        return Answer(settings) if known else error("ErrorAccessDenied", 403)

    opened = source(Cloud(answer), kinds=frozenset({Kind.SETTINGS}))
    _, container, _ = opened.containers()
    (page,) = opened.changes(container, None)
    natives = [one for one in opened.fetch(container, page.refs) if isinstance(one, Native)]
    assert [one.properties["Side"] for one in natives] == ["inside", "outside"]
    (again,) = opened.changes(container, page.cursor)
    assert again.refs == ()


def test_working_hours_cost_no_request_of_their_own(source: Open) -> None:
    """They come with the reply; asked for again, or alone, they are what they are now."""
    asked: list[str] = []
    end = 16

    def answer(ask: Ask) -> Answer:
        nonlocal end
        asked.append(ask.path.removeprefix(HOME))
        end += 1
        hours = {"daysOfWeek": ["monday"], "startTime": "08:00:00", "endTime": f"{end}:00:00"}
        return Answer({"automaticRepliesSetting": {"status": "disabled"}, "workingHours": hours})

    opened = source(Cloud(answer), kinds=frozenset({Kind.SETTINGS}))
    _, reply, hours = opened.containers()
    ends = []
    for container in (reply, hours, hours):
        (page,) = opened.changes(container, None)
        if container is hours:
            (native,) = opened.fetch(container, page.refs)
            assert isinstance(native, Native)
            assert native.body is not None
            ends.append(json.load(native.body())["item"]["endTime"])
    assert ends == ["17:00:00", "18:00:00"]
    assert asked == ["/mailboxSettings"] * 2


def test_a_mailbox_without_working_hours_has_no_record_of_them(source: Open) -> None:
    opened = source(Cloud(lambda _: Answer({"timeZone": "UTC"})), kinds=frozenset({Kind.SETTINGS}))
    *_, hours = opened.containers()
    (page,) = opened.changes(hours, None)
    assert (page.refs, page.full) == ((), True)
