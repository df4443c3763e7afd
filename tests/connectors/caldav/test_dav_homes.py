"""Homes: what is written goes below the account's own, whatever a server says in between."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from dav_desk import PASSWORD_ENV, SECOND, item
from servers.dav.dav_raw import RawServer, Script, account, multistatus, raw, response, whole

from connectors.caldav.settings import DavSettings
from connectors.caldav.target import DavTarget
from connectors.settings import Account
from model.errors import Blocked
from model.kinds import Kind
from model.protocols import Container, Role, Stored

OWNER = "<d:owner><d:href>{}</d:href></d:owner>"
CALENDAR = "<d:resourcetype><d:collection/><c:calendar/></d:resourcetype>"
DEFAULT = Container(Kind.CALENDAR, "source-1", ("Kalender",), Role.CALENDAR)
STORED = Stored(b"", f"k-{'0' * 32}.ics", '"1"')


@pytest.fixture(autouse=True)
def secret(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(PASSWORD_ENV, "secret")


def target(server: RawServer, profile: str = "generic") -> DavTarget:
    settings = DavSettings.model_validate(
        {
            "kind": "caldav",
            "url": server.url,
            "profile": profile,
            "password": {"env": PASSWORD_ENV},
            "patience_seconds": 1,
        }
    )
    who = Account(login="anna", address="anna@example.org")
    return DavTarget(
        settings, who, lambda: None, Path("/nowhere"), kind=Kind.CALENDAR, digest=lambda stream: b""
    )


@dataclass
class Homes:
    """An account whose home belongs to owner, and may be another from one request to the next."""

    owner: str
    homes: tuple[str, ...] = ("/cal/anna/",)
    changes: list[str] = field(default_factory=list)

    def __call__(self, line: str, asked: bytes) -> Iterable[bytes]:
        method, path, _ = line.split(" ")
        if method in {"PUT", "DELETE", "MKCALENDAR", "PROPPATCH"}:
            self.changes.append(f"{method} {path}")
            return whole("", 201)
        if method == "PROPFIND" and path == "/p/anna/":
            sets = "".join(f"<d:href>{home}</d:href>" for home in self.homes)
            also = "<d:principal-URL><d:href>/p/7/</d:href></d:principal-URL>"
            return whole(
                multistatus(response(path, f"<c:calendar-home-set>{sets}</c:calendar-home-set>{also}"))
            )
        if method == "PROPFIND" and path in self.homes:
            own = response(path, "<d:resourcetype><d:collection/></d:resourcetype>" + self._owner(path))
            return whole(multistatus(own, response(f"{path}work/", CALENDAR)))
        return whole(account(line, asked) or "", 207 if account(line, asked) else 404)

    def _owner(self, path: str) -> str:
        return OWNER.format(self.owner if path == self.homes[-1] else "/p/anna/") if self.owner else ""


def test_into_the_home_of_another_nothing_is_written() -> None:
    script = Homes("/p/boss/")
    with raw(script) as server:
        opened = target(server)
        for act in (
            lambda: opened.ensure(SECOND),
            lambda: opened.ensure(DEFAULT),
            lambda: list(opened.write("/cal/anna/work/", [item(1)])),
            lambda: list(opened.remove("/cal/anna/work/", [STORED])),
            lambda: opened.capabilities,
        ):
            with pytest.raises(Blocked, match="home-of-another"):
                act()
    assert script.changes == []


@pytest.mark.parametrize("owner", ["", "/p/anna/", "/p/ANNA", "/p/7/"])
def test_a_home_of_its_own_by_any_of_its_names_is_written_to(owner: str) -> None:
    script = Homes(owner)
    with raw(script) as server:
        results = list(target(server).write("/cal/anna/work/", [item(1)]))
    assert [one.href for one in results if isinstance(one, Stored)] == [
        one.rpartition("/")[2] for one in script.changes
    ]
    assert len(results) == 1


def test_a_second_home_that_is_anothers_is_only_looked_at() -> None:
    script = Homes("/p/boss/", ("/cal/anna/", "/cal/boss/"))
    with raw(script) as server:
        opened = target(server)
        found = {one.id: one.omit for one in opened.containers()}
        with pytest.raises(Blocked, match="no-permission"):
            list(opened.write("/cal/boss/work/", [item(1)]))
    assert found == {"/cal/anna/work/": None, "/cal/boss/work/": "shared"}
    assert script.changes == []


def test_a_home_that_changes_moves_no_write() -> None:
    """Within a run the first answer counts; in the next one what was made elsewhere is no longer ours."""
    script = Homes("")
    with raw(script) as server:
        opened = target(server)
        assert [one.id for one in opened.containers()] == ["/cal/anna/work/"]
        script.homes = ("/cal/anna/", "/cal/boss/")
        with pytest.raises(Blocked, match="home-of-another"):
            list(opened.write("/cal/boss/work/", [item(1)]))
        script.homes = ("/cal/boss/",)
        later = target(server)
        for act in (
            lambda: list(later.write("/cal/anna/work/", [item(1)])),
            lambda: list(later.remove("/cal/anna/work/", [STORED])),
            lambda: later.rename("/cal/anna/work/", SECOND),
        ):
            with pytest.raises(Blocked, match="home-of-another"):
                act()
    assert script.changes == []


@pytest.mark.parametrize(("href", "goes"), [("/cal/anna/more/", False), ("/cal/anna/made/", True)])
def test_a_home_is_not_cleared(href: str, goes: bool) -> None:
    """One that lies in another looks like an empty collection."""
    script = Homes("", ("/cal/anna/", "/cal/anna/more/"))

    def empty(line: str, asked: bytes) -> Iterable[bytes]:
        alone = line.startswith(f"PROPFIND {href}") and b"sync-token" in asked
        return whole(multistatus(response(href, CALENDAR))) if alone else script(line, asked)

    alone: Script = empty
    with raw(alone) as server:
        assert target(server).clear(href) is goes
    assert script.changes == ([f"DELETE {href}"] if goes else [])


def test_a_home_that_redirects_is_not_followed() -> None:
    script = Homes("")

    def away(line: str, asked: bytes) -> Iterable[bytes]:
        moved = line.startswith("PROPFIND /cal/anna/")
        return whole("", 301, "Location: /cal/boss/") if moved else script(line, asked)

    moved: Script = away
    with raw(moved) as server, pytest.raises(Blocked, match="redirected-elsewhere"):
        target(server).ensure(SECOND)
    assert script.changes == []
