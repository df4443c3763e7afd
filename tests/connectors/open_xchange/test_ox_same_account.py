"""The HTTP API is used only for the account that DAV opens."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from ox_api_desk import ANNA, BERT, ApiDesk

from model.errors import Blocked
from model.kinds import Kind
from model.protocols import Container, Role
from practice.dav.proxy import Forward, Reply, Request, reply

Answer = dict[str, Any]
REFUSED = reply(200, json.dumps({"error": "no", "code": "SVL-0001", "categories": "USER_INPUT"}))


def told(change: Callable[[Answer], object]) -> Callable[[Request, Forward], Reply]:
    """The server's answer after a change."""

    def answer(request: Request, rest: Forward) -> Reply:
        real = rest(request)
        content = json.loads(real.body)
        change(content)
        return Reply(real.status, real.headers, json.dumps(content).encode())

    return answer


def logged_in(desk: ApiDesk) -> int:
    return desk.client().user


def refused(desk: ApiDesk) -> None:
    client = desk.client()
    with pytest.raises(Blocked, match="api-of-another"):
        client.look("folders", "allVisible", {"content_type": "event", "columns": "1"})
    assert desk.asked("action=allVisible") == []
    assert desk.server.api.sessions == 0


@pytest.mark.parametrize("change", [{"user_id": 4}, {"context_id": 54}])
def test_another_number_or_context_is_refused(desk: ApiDesk, change: Answer) -> None:
    desk.layer.answers, desk.layer.what = [told(lambda answer: answer.update(change))], "action=login"
    refused(desk)


def test_another_address_is_refused(desk: ApiDesk) -> None:
    """A copy of the server: the same numbers, and another person."""
    address: Answer = {"email1": "carl@elsewhere.example", "aliases": ["x@elsewhere.example", None]}
    desk.layer.answers, desk.layer.what = [told(lambda answer: answer["data"].update(address))], "/ajax/user"
    refused(desk)


def test_an_alias_is_the_same_person(desk: ApiDesk) -> None:
    address: Answer = {"email1": "carl@ox.test", "aliases": ["carl@ox.test", ANNA.upper()]}
    desk.layer.answers, desk.layer.what = [told(lambda answer: answer["data"].update(address))], "/ajax/user"
    assert logged_in(desk) == 3


def test_a_server_that_states_no_addresses_is_known_by_its_context(desk: ApiDesk) -> None:
    desk.layer.answers, desk.layer.what = [REFUSED], "/ajax/user"
    assert logged_in(desk) == 3


def test_a_number_alone_proves_nothing(desk: ApiDesk) -> None:
    def silent(request: Request, rest: Forward) -> Reply:
        return (
            REFUSED
            if "/ajax/user" in request.path
            else told(lambda one: one.pop("context_id", 0))(request, rest)
        )

    desk.layer.answers, desk.layer.what = [silent, silent], "/ajax/"
    refused(desk)


def test_a_new_session_is_proven_again(desk: ApiDesk) -> None:
    client = desk.client()
    assert client.user == 3
    desk.server.api.forget_sessions()
    desk.layer.answers, desk.layer.what = [told(lambda answer: answer.update(user_id=4))], "action=login"
    with pytest.raises(Blocked, match="api-of-another"):
        client.look("folders", "allVisible", {"content_type": "event", "columns": "1"})


@pytest.mark.parametrize("kind", [Kind.CALENDAR, Kind.CONTACTS, Kind.TASKS])
def test_a_target_asks_and_writes_nothing_in_the_account_of_another(desk: ApiDesk, kind: Kind) -> None:
    other = desk.server.context.users[BERT]
    desk.layer.answers = [told(lambda answer: answer.update(user_id=other.number))]
    desk.layer.what = "action=login"
    target = desk.target(kind)
    with pytest.raises(Blocked, match="api-of-another"):
        list(target.whole(target.ensure(Container(kind, "home", ("Home",), role=Role(kind.value)))))
    asked = [one for one in desk.server.requests if one.path.startswith("/ajax/")]
    assert {one.path for one in asked} == {"/ajax/login", "/ajax/user"}


def test_what_dav_says_of_an_account_is_what_the_api_says(desk: ApiDesk) -> None:
    """The proof stands on the principal that a target finds by DAV."""
    target = desk.target(Kind.CONTACTS)
    href = target.ensure(Container(Kind.CONTACTS, "home", ("Home",), role=Role.CONTACTS))
    assert list(target.whole(href)) == []
    assert target._principal().urns == desk.owner().urns
    assert target._principal().path == desk.owner().path
