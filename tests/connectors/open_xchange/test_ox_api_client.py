"""The client of Open-Xchange's HTTP API: its session, its errors, and answers that nobody should believe."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import parse_qs

import httpx
import pytest
from ox_api_desk import ANNA, ApiDesk, Misbehaving, lost
from pydantic import ValidationError
from servers.open_xchange.server import USER_PASSWORD

from connectors.caldav.products import PROFILES
from connectors.open_xchange import answers
from connectors.open_xchange.client import ApiClient, cookies_of
from connectors.settings import Account
from model.errors import Blocked, MigrationError, Rejected, Transient
from practice.dav.proxy import Reply, reply

FOLDERS = {"content_type": "event", "columns": "1,300"}
ENDLESS = b'{"data":["' + b"x" * 9_000_000


def said(code: str, categories: object = "USER_INPUT", text: str = "Anna's secret folder") -> Reply:
    return reply(200, json.dumps({"error": text, "code": code, "categories": categories}))


def folders(client: ApiClient) -> list[list[str]]:
    found: list[list[str]] = client.look("folders", "allVisible", FOLDERS)["data"]["private"]
    return found


def test_one_session_serves_all_requests_and_is_ended(desk: ApiDesk) -> None:
    client = desk.client()
    assert client.user == 3
    assert ["cal://0/31", "Calendar"] in folders(client)
    assert folders(client) == folders(client)
    assert len(desk.asked("action=login")) == 1
    assert desk.server.api.sessions == 1
    client.close()
    client.close()
    assert desk.server.api.sessions == 0
    assert len(desk.asked("action=logout")) == 1


def test_a_client_that_was_not_used_says_nothing(desk: ApiDesk) -> None:
    desk.client().close()
    assert desk.server.requests == []


def test_the_password_goes_into_the_login_alone(desk: ApiDesk) -> None:
    client = desk.client()
    folders(client)
    for one in desk.server.requests:
        assert "Authorization" not in one.headers
        assert USER_PASSWORD not in one.query
    assert [USER_PASSWORD.encode() in one.body for one in desk.server.requests] == [True, False, False]


def test_every_request_is_silent(desk: ApiDesk) -> None:
    folders(desk.client())
    assert all("scheduling=none" in one.query for one in desk.asked("action=allVisible"))
    assert desk.asked("notification") == []


def test_a_lost_session_is_renewed_once(desk: ApiDesk) -> None:
    client = desk.client()
    folders(client)
    desk.server.api.forget_sessions()
    assert folders(client)
    assert len(desk.asked("action=login")) == 2
    desk.layer.answers, desk.layer.what = [said("SES-0203", "TRY_AGAIN")], "/ajax/folders"
    assert folders(client)
    assert len(desk.asked("action=login")) == 3


def test_a_write_is_not_repeated_by_itself_when_the_session_is_lost(desk: ApiDesk) -> None:
    """The new login may take long, and the lease may be another worker's by then."""
    client = desk.client()
    folders(client)
    desk.server.api.forget_sessions()
    with pytest.raises(Transient) as caught:
        client.ask("folders", "update", {"id": "cal://0/31"}, {"folder": {"title": "Another"}})
    assert caught.value.code == "busy"
    assert len(desk.asked("action=update")) == len(desk.asked("action=login")) == 1
    assert folders(client)


@dataclass
class Share:
    """So many requests; whoever asks for more waits."""

    left: int

    def take(self, pause: Callable[[float], None]) -> None:
        while self.left == 0:
            pause(0.0)
        self.left -= 1

    def refused(self, seconds: float | None) -> bool:
        return seconds is not None


@pytest.mark.parametrize(("left", "logouts"), [(3, 0), (4, 1)])
def test_a_logout_keeps_the_rate_limit_too(desk: ApiDesk, left: int, logouts: int) -> None:
    share = Share(left)
    client = ApiClient(desk.settings(), Account(login=ANNA), PROFILES["open-xchange"], desk.owner, share)
    folders(client)
    client.close()
    assert len(desk.asked("action=logout")) == logouts
    assert share.left == 0


def test_a_wrong_password_is_sent_once(desk: ApiDesk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KOGGE_OX_API_TEST_PASSWORD", "wrong")
    client = desk.client()
    for _ in range(3):
        with pytest.raises(Blocked) as caught:
            folders(client)
        assert caught.value.code == "login-refused"
    assert len(desk.asked("action=login")) == 1


def test_a_password_that_was_accepted_before_is_not_refused_at_once(desk: ApiDesk) -> None:
    """The server's database may be restarting."""
    desk.client()
    folders(desk.opened[0])
    desk.layer.answers, desk.layer.what = [said("LGI-0006")], "/ajax/login"
    with pytest.raises(Transient) as caught:
        folders(desk.client())
    assert caught.value.code == "login-unconfirmed"


@pytest.mark.parametrize("agent", [None, "Kogge", "kogge", "kogge-migration", "KOGGE-Migration", "host/1.0"])
def test_a_login_names_a_program_that_is_not_the_user_agent(desk: ApiDesk, agent: str | None) -> None:
    client = desk.client(user_agent=agent)
    assert folders(client)
    (login,) = desk.asked("action=login")
    (named,) = parse_qs(login.body.decode())["client"]
    assert named.casefold() != login.headers["User-Agent"].casefold()


@pytest.mark.parametrize(
    ("code", "category", "error", "word"),
    [
        ("LGI-0001", "PERMISSION_DENIED", Blocked, "login-refused"),
        ("LGI-0002", "TRY_AGAIN", Transient, "busy"),
        ("LGI-0003", "ERROR", Transient, "server-error"),
        ("LGI-0005", "SERVICE_DOWN", Transient, "busy"),
        ("LGI-0006", "USER_INPUT", Blocked, "login-refused"),
        ("LGI-0009", "CONFIGURATION", Transient, "server-error"),
        ("LGI-0010", "SERVICE_DOWN", Transient, "busy"),
        ("LGI-0014", "PERMISSION_DENIED", Blocked, "client-refused"),
        ("LGI-0016", "USER_INPUT", Blocked, "redirected-elsewhere"),
        ("LGI-0021", "USER_INPUT", Blocked, "client-refused"),
        ("LGI-0024", "PERMISSION_DENIED", Blocked, "login-refused"),
        ("CTX-0007", "TRY_AGAIN", Transient, "busy"),
    ],
)
def test_a_login_that_fails_blames_the_password_only_where_the_server_does(
    desk: ApiDesk, code: str, category: str, error: type[MigrationError], word: str
) -> None:
    desk.layer.answers, desk.layer.what = [said(code, category)] * 9, "action=login"
    with pytest.raises(error) as caught:
        folders(desk.client(patience_seconds=0))
    assert (caught.value.code, caught.value.detail) == (word, code)


def test_a_server_that_updates_itself_is_waited_for_at_the_login(desk: ApiDesk) -> None:
    desk.layer.answers, desk.layer.what = [said("CTX-0007", "TRY_AGAIN")] * 2, "action=login"
    assert folders(desk.client())


@pytest.mark.parametrize(
    ("answer", "error", "code"),
    [
        (said("RA-0002", "PERMISSION_DENIED"), Blocked, "password-scopes"),
        (said("CON-0177"), Rejected, "refused-by-target"),
        (said("CAL-4030", ["PERMISSION_DENIED"]), Blocked, "no-permission"),
        (said("CTX-0002", "CAPACITY"), Blocked, "over-quota"),
        (said("Anna's secret folder"), Rejected, "refused-by-target"),
        (reply(404), Blocked, "no-http-api"),
        (reply(302), Blocked, "redirected-elsewhere"),
    ],
)
def test_an_error_is_told_without_the_servers_words(
    desk: ApiDesk, answer: Reply, error: type[MigrationError], code: str
) -> None:
    client = desk.client()
    assert client.user
    desk.layer.answers = [answer]
    with pytest.raises(error) as caught:
        folders(client)
    assert caught.value.code == code
    assert "secret" not in f"{caught.value}{caught.value.detail}"
    assert folders(client)


def test_a_busy_server_is_waited_for(desk: ApiDesk) -> None:
    client = desk.client()
    assert client.user
    desk.layer.answers = [said("DBP-0001", "SERVICE_DOWN"), said("SVL-0001", "TRY_AGAIN"), lost, reply(429)]
    assert folders(client)
    assert len(desk.asked("action=allVisible")) == 5


@pytest.mark.parametrize(
    "answer",
    [
        reply(200, "<html><body>Please log in</body></html>", kind="text/html"),
        reply(200, ""),
        reply(200, "[]"),
        reply(200, '"data"'),
        reply(200, "[" * 100_000),
        reply(200, "\x00\x01"),
    ],
)
def test_what_is_no_answer_of_the_api_is_not_believed(desk: ApiDesk, answer: Reply) -> None:
    client = desk.client()
    assert client.user
    desk.layer.answers = [answer] * 9
    with pytest.raises(Transient) as caught:
        folders(client)
    assert caught.value.code == "not-http-api"
    assert len(desk.layer.answers) >= 5


@pytest.mark.parametrize(
    "answer",
    [
        reply(200, "{}"),
        reply(200, '{"session": "a b", "user_id": 3}'),
        reply(200, '{"session": 5, "user_id": "3"}'),
        said("SES-0203", "TRY_AGAIN"),
    ],
)
def test_what_is_no_login_is_not_believed(desk: ApiDesk, answer: Reply) -> None:
    desk.layer.answers = [answer] * 9
    with pytest.raises(Transient) as caught:
        folders(desk.client())
    assert caught.value.code == "not-http-api"


def test_an_endless_answer_is_cut(desk: ApiDesk) -> None:
    client = desk.client()
    assert client.user
    desk.layer.answers = [Reply(200, httpx.Headers({"Content-Type": "application/json"}), ENDLESS)] * 4
    with pytest.raises(Transient) as caught:
        folders(client)
    assert caught.value.code == "reply-too-large"


def test_cookies_are_told_apart_though_their_headers_are_joined() -> None:
    """As the recorded login sets them: a date holds a comma, a value an equals sign."""
    stated = (
        "JSESSIONID=1.a; Expires=Sat, 05-Dec-2026 18:40:19 GMT; Path=/; HttpOnly; SameSite=Lax, "
        "open-xchange-secret-4WW9=b==; Path=/; HttpOnly, open-xchange-session-4WW9=c; Path=/"
    )
    wanted = "JSESSIONID=1.a; open-xchange-secret-4WW9=b==; open-xchange-session-4WW9=c"
    assert cookies_of(stated) == wanted
    assert cookies_of("") == ""
    assert cookies_of("a=b\r\nX: y, =c, d; Path=/") == ""


def test_a_warning_is_no_error() -> None:
    text = json.dumps({"data": [1], "error": "x", "code": "MSG-0001", "categories": "WARNING"})
    assert answers.content(answers.HttpAnswer(200, {}, text.encode()))["data"] == [1]


@pytest.mark.parametrize(
    ("more", "why"),
    [
        ({"profile": "nextcloud"}, 'only profile = "open-xchange" has it'),
        ({"auth": "bearer"}, 'needs auth = "basic"'),
        ({"api": "http://ox.example.org/appsuite/api"}, "use https"),
        ({"api": "ox.example.org"}, "not a URL"),
    ],
)
def test_a_useless_api_is_an_error_of_the_configuration(
    desk: ApiDesk, more: dict[str, object], why: str
) -> None:
    with pytest.raises(ValidationError, match=re.escape(why)):
        desk.settings(**more)


def test_the_layer_lets_other_requests_through(desk: ApiDesk) -> None:
    """The tests above rest on it."""
    desk.layer.answers, desk.layer.what = [reply(500)], "/ajax/tasks"
    assert folders(desk.client())
    assert isinstance(desk.layer, Misbehaving)
    assert len(desk.layer.answers) == 1
