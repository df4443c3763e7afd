"""Finding an account: redirects, principals, homes, and every way of saying who we are."""

from __future__ import annotations

import base64
import itertools
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest
from dav_desk import meaning
from servers.dav.dav_raw import Script, account, multistatus, raw, response, whole

from connectors.accepted_logins import LOGINS, WAIT_SECONDS
from connectors.caldav.settings import DavSettings
from connectors.caldav.target import DavTarget
from connectors.http.client import ASKED_AGAIN, HttpClient
from connectors.http.hrefs import Origin
from connectors.settings import Account
from model.errors import Blocked, Misconfigured, Transient
from model.kinds import Kind

ENV = "KOGGE_DAV_DISCOVERY"


@pytest.fixture(autouse=True)
def secret(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(ENV, "pässwort")


def target(url: str, kind: Kind = Kind.CALENDAR, login: str = "anna", **more: Any) -> DavTarget:
    settings = DavSettings.model_validate(
        {
            "kind": "carddav" if kind is Kind.CONTACTS else "caldav",
            "url": url,
            "password": {"env": ENV},
            "patience_seconds": 1,
            "timeout_seconds": 5,
            **more,
        }
    )
    account_ = Account(login=login, address="anna@example.org")
    return DavTarget(settings, account_, lambda: None, Path("/nowhere"), kind=kind, digest=meaning)


def plain(line: str, asked: bytes) -> Iterable[bytes]:
    answer = account(line, asked)
    return whole(answer) if answer is not None else whole("", 404)


def test_an_account_is_found_by_its_well_known_address() -> None:
    with raw(plain) as server:
        opened = target(server.url)
        identity = opened.identity()
        (found,) = opened.containers()
        place = server.url.removeprefix("http://")
        assert [one.split(b"\r\n")[0].split()[1] for one in server.requests[:3]] == [
            b"/.well-known/caldav",
            b"/p/anna/",
            b"/cal/anna/",
        ]
    assert identity.addresses == {"anna@example.org"}
    assert (identity.system, len(identity.id)) == (f"dav:{place}", 32)
    assert "anna" not in identity.id
    assert found.id == "/cal/anna/work/"


def test_calendars_and_cards_of_one_person_have_one_identity_and_two_persons_two() -> None:
    def other(line: str, asked: bytes) -> Iterable[bytes]:
        return whole((account(line, asked) or "").replace("anna", "ben"))

    with raw(plain) as server:
        calendars, cards = target(server.url).identity(), target(server.url, Kind.CONTACTS).identity()
        assert any(one.startswith(b"PROPFIND /.well-known/carddav") for one in server.requests)
        server.script = lambda line, asked: other(line.replace("/ben/", "/anna/"), asked)
        assert calendars == cards
        assert target(server.url).identity().id != calendars.id


@pytest.mark.parametrize("url", ["https://dav.example", "https://DAV.example:443/dav/", "https://[::1]:8443"])
def test_a_server_is_one_system_and_no_other_ones_beginning(url: str) -> None:
    names = {
        Origin.of(one).server for one in (url, f"{url.removesuffix('/dav/')}/x", "https://dav.example:44")
    }
    assert names == {Origin.of(url).server, "dav.example:44"}
    assert Origin.of("https://dav.example:443").server == "dav.example:443"


@pytest.mark.parametrize(
    ("name", "stated"),
    [
        ("Anna%40Example.org", {"anna@example.org"}),
        ("anna@example.org", {"anna@example.org"}),
        ("anna", set()),
        ("anna@ldap", set()),
        ("@example.org", set()),
        ("anna%20b@example.org", set()),
    ],
)
def test_a_principal_whose_name_is_an_address_states_it(name: str, stated: set[str]) -> None:
    def script(line: str, asked: bytes) -> Iterable[bytes]:
        answer = account(line.replace(f"/p/{name.replace('%40', '@')}/", "/p/anna/"), asked)
        return whole((answer or "").replace("/p/anna/", f"/p/{name}/").replace("address-set", "other-set"))

    with raw(script) as server:
        assert target(server.url).identity().addresses == stated


def test_an_address_the_server_states_goes_before_the_principals_name() -> None:
    def script(line: str, asked: bytes) -> Iterable[bytes]:
        answer = account(line.replace("/p/ben@old.example/", "/p/anna/"), asked)
        return whole((answer or "").replace("/p/anna/", "/p/ben@old.example/"))

    with raw(script) as server:
        assert target(server.url).identity().addresses == {"anna@example.org"}


def test_an_id_of_the_servers_own_is_part_of_it() -> None:
    """RFC 5842: it changes when the account is deleted and made anew."""
    born = ["urn:uuid:1"]

    def script(line: str, asked: bytes) -> Iterable[bytes]:
        number = f"<d:resource-id><d:href>{born[0]}</d:href></d:resource-id>"
        answer = account(line, asked)
        return whole(answer.replace("<d:prop>", f"<d:prop>{number}") if answer else "")

    with raw(script) as server:
        first, again = target(server.url).identity(), target(server.url).identity()
        born[0] = "urn:uuid:2"
        assert first == again
        assert target(server.url).identity() != first


def _redirects(where: str, *, times: int = 1) -> Script:
    left = [times]

    def script(line: str, asked: bytes) -> Iterable[bytes]:
        if line.startswith("PROPFIND /.well-known/") and left[0]:
            left[0] -= 1
            return whole("", 301, f"Location: {where}")
        return plain(line.replace("/remote.php/dav/", "/"), asked)

    return script


@pytest.mark.parametrize("where", ["/remote.php/dav/", "../remote.php/dav/"])
def test_a_redirect_within_the_server_is_followed(where: str) -> None:
    with raw(_redirects(where)) as server:
        assert target(server.url).identity().addresses == {"anna@example.org"}
        assert server.requests[1].startswith(b"PROPFIND /remote.php/dav/ ")
        assert b"authorization: basic" in server.requests[1].lower()


def test_a_redirect_elsewhere_gets_no_credentials() -> None:
    with raw(plain) as other, raw(_redirects(f"{other.url}/")) as server:
        with pytest.raises(Blocked, match="redirected-elsewhere"):
            target(server.url).identity()
        assert other.requests == []


@pytest.mark.parametrize(
    "where", ["https://127.0.0.1/", "//elsewhere.example/", "ftp://x/", "", "http://u:p@127.0.0.1/", "/\x01"]
)
def test_no_other_address_is_asked(where: str) -> None:
    with raw(_redirects(where)) as server, pytest.raises(Blocked, match="redirected-elsewhere"):
        target(server.url).identity()


def test_a_circle_of_redirects_ends() -> None:
    def script(line: str, asked: bytes) -> Iterable[bytes]:
        return whole("", 302, f"Location: /{len(asked) % 7}{line.count('a')}/a")

    with raw(script) as server:
        with pytest.raises(Blocked, match="redirected-elsewhere"):
            target(server.url).identity()
        assert len(server.requests) <= 10


@pytest.mark.parametrize("status", [404, 405, 501, 403, 400, 200])
def test_no_service_tells_what_to_ask_for(status: int) -> None:
    with raw(lambda line, asked: whole("<html>no</html>", status)) as server:
        with pytest.raises(Blocked, match="no-dav-access") as caught:
            target(server.url).identity()
        assert "secret command" in caught.value.advice
        if status != 200:
            assert len(server.requests) == 2


@pytest.mark.parametrize(
    "answer", ["", "<html/>", "not xml", multistatus(), "<d:multistatus xmlns:d='DAV:'>"]
)
def test_something_that_is_no_dav_is_no_access(answer: str) -> None:
    with raw(lambda line, asked: whole(answer)) as server, pytest.raises(Blocked, match="no-dav-access"):
        target(server.url).identity()


def test_a_principal_without_a_home_is_no_access() -> None:
    def script(line: str, asked: bytes) -> Iterable[bytes]:
        return whole((account(line, asked) or "").replace("home-set", "other-set"))

    with raw(script) as server, pytest.raises(Blocked, match="no-dav-access"):
        target(server.url).identity()


def test_a_home_on_another_server_is_no_home() -> None:
    def script(line: str, asked: bytes) -> Iterable[bytes]:
        return whole((account(line, asked) or "").replace("/cal/anna/", "https://elsewhere.example/cal/"))

    with raw(script) as server, pytest.raises(Blocked, match="no-dav-access"):
        target(server.url).identity()


def test_a_url_with_a_path_is_the_service_itself() -> None:
    with raw(lambda line, asked: plain(line.replace("/servlet/dav/", "/"), asked)) as server:
        assert target(f"{server.url}/servlet/dav/").identity().addresses
        assert server.requests[0].startswith(b"PROPFIND /servlet/dav/ ")


def test_a_principals_own_url_will_do() -> None:
    with raw(lambda line, asked: plain(line, asked) if "/p/anna/" in line else whole("", 404)) as server:
        assert target(f"{server.url}/p/anna/").identity().addresses == {"anna@example.org"}


def test_a_refused_login_is_never_tried_again() -> None:
    with raw(lambda line, asked: whole("", 401, 'WWW-Authenticate: Basic realm="x"')) as server:
        opened = target(server.url)
        for _ in range(3):
            with pytest.raises(Blocked, match="login-refused"):
                opened.identity()
        with pytest.raises(Blocked, match="login-refused"):
            list(opened.listing("/cal/anna/work/"))
        assert len(server.requests) == 1


class Moody:
    """Answers 401 as long as it is in that mood."""

    def __init__(self) -> None:
        self.refusals = 0
        self.refused: list[bytes] = []

    def __call__(self, line: str, asked: bytes) -> Iterable[bytes]:
        if self.refusals == 0:
            return plain(line, asked)
        self.refusals -= 1
        self.refused.append(asked)
        return whole("", 401)


def test_a_password_that_was_accepted_is_confirmed_once_before_it_is_refused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    moody = Moody()
    with raw(moody) as server:
        opened = target(server.url)
        opened.identity()
        moody.refusals = 1000
        for _ in range(3):  # this connection asks nothing more
            with pytest.raises(Transient, match="login-unconfirmed") as passing:
                list(opened.containers())
        assert passing.value.after is not None
        with pytest.raises(Transient, match="login-unconfirmed"):
            target(server.url).identity()  # not yet
        assert len(moody.refused) == 1
        monkeypatch.setattr(LOGINS, "clock", lambda: time.monotonic() + WAIT_SECONDS)
        again = target(server.url)
        for _ in range(3):
            with pytest.raises(Blocked, match="login-refused"):
                again.identity()
    assert len(moody.refused) == 2


def test_one_refusal_between_two_successes_is_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    moody, hours = Moody(), itertools.count()
    monkeypatch.setattr(LOGINS, "clock", lambda: next(hours) * 3600.0)
    with raw(moody) as server:
        for _ in range(3):
            opened = target(server.url)
            opened.identity()
            moody.refusals = 1
            with pytest.raises(Transient, match="login-unconfirmed"):
                list(opened.containers())
        assert len(list(target(server.url).containers())) == 1


@pytest.fixture
def waits(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """What is waited for, without waiting."""
    found: list[float] = []
    monkeypatch.setattr(HttpClient, "wait", lambda _client, seconds: found.append(seconds))
    return found


APPAPI = {"auth": "appapi", "app_id": "kogge", "app_version": "2.0", "profile": "nextcloud"}


@pytest.mark.parametrize("refusals", [1, 4, len(ASKED_AGAIN)])
def test_an_application_is_asked_again_for_a_while(refusals: int, waits: list[float]) -> None:
    """Nextcloud knows no application while its database restarts."""
    moody = Moody()
    moody.refusals = refusals
    with raw(moody) as server:
        assert target(server.url, **APPAPI).identity().addresses == {"anna@example.org"}
    # A connection that the server closed between two requests is opened anew after 0.1 s.
    assert [one for one in waits if one >= min(ASKED_AGAIN)] == list(ASKED_AGAIN[:refusals])


def test_an_application_that_nobody_knows_is_refused_in_the_end(waits: list[float]) -> None:
    moody = Moody()
    moody.refusals = 1000
    with raw(moody) as server, pytest.raises(Blocked, match="login-refused"):
        target(server.url, **APPAPI).identity()
    assert sum(waits) == 60
    assert len(moody.refused) == 1 + len(ASKED_AGAIN)


def test_a_server_that_does_not_say_so_but_knows_nobody() -> None:
    nobody = response("/", "<d:current-user-principal><d:unauthenticated/></d:current-user-principal>")
    with raw(lambda line, asked: whole(multistatus(nobody))) as server:
        with pytest.raises(Blocked, match="login-refused"):
            target(server.url).identity()
        assert len(server.requests) == 1


def test_basic_is_utf8_and_the_name_a_template() -> None:
    with raw(plain) as server:
        target(server.url, username="{login}@{address}").identity()
        sent = _header(server.requests[0], "authorization")
    assert base64.b64decode(sent.removeprefix("Basic ")).decode() == "anna@anna@example.org:pässwort"


def test_a_nextcloud_app_writes_as_any_user() -> None:
    with raw(plain) as server:
        target(server.url, auth="appapi", app_id="kogge", app_version="2.0", profile="nextcloud").identity()
        asked = server.requests[0]
    assert base64.b64decode(_header(asked, "authorization-app-api")).decode() == "anna:pässwort"
    assert [_header(asked, name) for name in ("ex-app-id", "ex-app-version", "aa-version")] == [
        "kogge",
        "2.0",
        "1.0.0",
    ]
    assert b"\nauthorization:" not in asked.lower()


def test_an_expired_token_is_read_again_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(ENV, "old-token")
    good = [b"old-token"]

    def script(line: str, asked: bytes) -> Iterable[bytes]:
        return plain(line, asked) if b"Bearer " + good[0] in asked else whole("", 401)

    with raw(script) as server:
        opened = target(server.url, auth="bearer")
        opened.identity()
        good[0] = b"new-token"
        monkeypatch.setenv(ENV, "new-token")
        assert len(list(opened.containers())) == 1
        good[0] = b"nobody-has-this"
        before = len(server.requests)
        with pytest.raises(Transient, match="login-unconfirmed"):
            list(opened.containers())
        assert len(server.requests) == before + 1


def _header(asked: bytes, name: str) -> str:
    lines = asked.partition(b"\r\n\r\n")[0].decode("latin-1").split("\r\n")
    return next(line.partition(":")[2].strip() for line in lines if line.lower().startswith(f"{name}:"))


def test_the_user_agent_is_neutral() -> None:
    with raw(plain) as server:
        target(server.url).identity()
        target(server.url, user_agent="Something/1.0").identity()
        agents = {_header(one, "user-agent") for one in server.requests}
    assert agents == {"Kogge", "Something/1.0"}


def test_a_kind_the_protocol_has_not_is_misconfigured() -> None:
    with pytest.raises(Misconfigured):
        DavTarget(
            DavSettings(kind="carddav", url="https://x.example", password={"env": ENV}),  # type: ignore[arg-type]
            Account(login="anna"),
            lambda: None,
            Path("/nowhere"),
            kind=Kind.CALENDAR,
            digest=meaning,
        )


@pytest.mark.parametrize(
    "wrong",
    [
        {"url": "http://cloud.example.org"},
        {"url": "cloud.example.org"},
        {"url": "https://anna:pw@cloud.example.org"},
        {"url": "https://cloud.example.org/?x=1"},
        {"url": "https://cloud.example.org:99999/"},
        {"auth": "appapi"},
        {"auth": "appapi", "app_id": "a\nb"},
        {"profile": "exchange"},
        {"connections": 9},
    ],
)
def test_settings_that_cannot_be_meant(wrong: dict[str, object]) -> None:
    right = {"kind": "caldav", "url": "https://cloud.example.org", "password": {"env": ENV}}
    assert DavSettings.model_validate(right)
    with pytest.raises(ValueError, match="validation error"):
        DavSettings.model_validate(right | wrong)


def test_a_profile_knows_what_a_new_account_holds() -> None:
    right = {"kind": "caldav", "url": "https://cloud.example.org", "password": {"env": ENV}}
    assert DavSettings.model_validate(right).artefacts == ()
    assert "Leon Green" in DavSettings.model_validate(right | {"profile": "nextcloud"}).artefacts
    given = right | {"profile": "nextcloud", "artefacts": ["Beispiel"]}
    assert DavSettings.model_validate(given).artefacts == ("Beispiel",)


def test_what_products_cannot_hold_is_a_capability() -> None:
    with raw(plain) as server:
        ox = target(server.url, profile="open-xchange").capabilities
        plain_one = target(server.url, silent_agent=True).capabilities
    assert (ox.groups, ox.recurring_tasks, ox.silent_agent) == (False, False, False)
    assert (ox.event_habits.own_zones, plain_one.event_habits.own_zones) == (False, True)
    assert (ox.category_commas, ox.busy_words, plain_one.busy_words) == (False, False, True)
    assert (plain_one.groups, plain_one.recurring_tasks, plain_one.silent_agent) == (True, True, True)


FIELDS = '{"ocs":{"meta":{"statuscode":200},"data":%s}}'


@pytest.mark.parametrize(
    ("profile", "fields", "self_stated"),
    [
        ("nextcloud", FIELDS % '["displayname","email"]', True),
        ("nextcloud", FIELDS % '["displayname"]', False),
        ("nextcloud", FIELDS % "[]", False),
        ("nextcloud", FIELDS % '{"0":"email"}', True),
        ("nextcloud", "<html>log in</html>", True),
        ("nextcloud", "[]", True),
        ("nextcloud", None, True),
        ("generic", None, True),
        ("cyrus", None, True),
        ("open-xchange", None, False),
    ],
)
def test_whether_people_write_their_own_address(profile: str, fields: str | None, self_stated: bool) -> None:
    def script(line: str, asked: bytes) -> Iterable[bytes]:
        if line.startswith("GET /ocs/v2.php/cloud/user/fields?format=json "):
            assert b"ocs-apirequest: true" in asked.lower()
            return whole(fields or "", 200 if fields else 404)
        return plain(line, asked)

    with raw(script) as server:
        found = target(server.url, profile=profile).identity()
        assert found.addresses
        assert found.self_stated is self_stated


def test_the_principals_own_name_is_not_written_by_people() -> None:
    def script(line: str, asked: bytes) -> Iterable[bytes]:
        answer = account(line.replace("/p/anna@example.org/", "/p/anna/"), asked)
        return whole((answer or "").replace("/p/anna/", "/p/anna@example.org/").replace("address-set", "x"))

    with raw(script) as server:
        found = target(server.url).identity()
        assert (found.addresses, found.self_stated) == ({"anna@example.org"}, False)


FILE_ID = """<d:multistatus xmlns:d="DAV:" xmlns:o="http://owncloud.org/ns">
<d:response><d:href>{path}</d:href><d:propstat><d:prop><o:fileid>{id}</o:fileid></d:prop>
<d:status>HTTP/1.1 200 OK</d:status></d:propstat></d:response></d:multistatus>"""


def test_a_nextcloud_account_that_was_made_anew_is_another_one() -> None:
    """Its principal tells nothing of that; the folder of its files does."""
    born = ["17"]

    def script(line: str, asked: bytes) -> Iterable[bytes]:
        if line.startswith("PROPFIND /remote.php/dav/files/anna/ "):
            return whole(FILE_ID.format(path="/remote.php/dav/files/anna/", id=born[0]))
        return plain(line, asked)

    with raw(script) as server:
        first, again = (target(server.url, profile="nextcloud").identity() for _ in range(2))
        cards = target(server.url, Kind.CONTACTS, profile="nextcloud").identity()
        born[0] = "18"
        anew = target(server.url, profile="nextcloud").identity()
    assert first == again == cards
    assert (first.id, first.part) == (anew.id, "17")
    assert anew.part == "18"


@pytest.mark.parametrize("answer", [(404, ""), (403, "no"), (207, "<html>log in</html>")])
def test_where_nothing_tells_it_a_nextcloud_account_is_its_name(answer: tuple[int, str]) -> None:
    def script(line: str, asked: bytes) -> Iterable[bytes]:
        if line.startswith("PROPFIND /remote.php/dav/files/"):
            return whole(answer[1], answer[0])
        return plain(line, asked)

    with raw(script) as server:
        assert target(server.url, profile="nextcloud").identity().part == ""
