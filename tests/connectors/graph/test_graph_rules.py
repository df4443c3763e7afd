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
    container, _ = opened.containers()
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
        known = ask.path.removeprefix(HOME) == "/mailboxSettings/automaticRepliesSetting"
        today = {"scheduledStartDateTime": {"dateTime": f"2026-12-0{day}", "timeZone": "UTC"}}
        return Answer(stated | today) if known else error("ErrorAccessDenied", 403)

    opened = source(Cloud(answer), kinds=frozenset({Kind.SETTINGS}))
    _, container = opened.containers()
    (page,) = opened.changes(container, None)
    natives = [one for one in opened.fetch(container, page.refs) if isinstance(one, Native)]
    assert [one.properties["Side"] for one in natives] == ["inside", "outside"]
    (again,) = opened.changes(container, page.cursor)
    assert again.refs == ()
