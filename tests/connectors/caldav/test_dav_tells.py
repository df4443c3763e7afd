"""Silence is believed of a server that shows what its configuration says it is, and of no other."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

import pytest
from dav_desk import PASSWORD_ENV, Desk
from servers.dav.dav_raw import RawServer, account, head, raw, whole
from servers.dav.manners import manners
from servers.dav.scheduling import ProductName, start_scheduling
from servers.smtp_sink import SmtpSink

from connectors.caldav.settings import DavSettings
from connectors.caldav.target import DavTarget
from connectors.settings import Account
from model.errors import Transient
from model.kinds import Kind
from model.optional_protocols import Schedules
from practice.dav.radicale import USER_PASSWORD

PLAIN = "DAV: 1, 2, 3, calendar-access, addressbook, extended-mkcol"
MAILS = "DAV: 1, 3, access-control, calendar-access, calendar-auto-schedule"
NEXTCLOUD = f"{MAILS}, nc-calendar-trashbin, nextcloud-checksum-update"
CYRUS = "Server: Cyrus-HTTP/3.10.1 Cyrus-SASL/2.1.28"
NEW, OLD = '{"versionstring": "32.0.1"}', '{"versionstring": "31.0.9", "productname": "Nextcloud"}'


@pytest.fixture(autouse=True)
def secret(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(PASSWORD_ENV, USER_PASSWORD)


def target(server: RawServer, profile: str, kind: Kind = Kind.CALENDAR, path: str = "") -> DavTarget:
    settings = DavSettings.model_validate(
        {
            "kind": "carddav" if kind is Kind.CONTACTS else "caldav",
            "url": f"{server.url}{path}",
            "profile": profile,
            "password": {"env": PASSWORD_ENV},
            "patience_seconds": 1,
        }
    )
    who = Account(login="anna", address="anna@example.org")
    return DavTarget(settings, who, lambda: None, Path("/nowhere"), kind=kind, digest=lambda stream: b"")


class Product:
    """A server whose answer to OPTIONS has these lines, and whose files these texts."""

    def __init__(self, *lines: str, files: Mapping[str, str] | None = None, below: str = "") -> None:
        self.lines = lines
        self.files = files or {}
        self.below = below

    def __call__(self, line: str, asked: bytes) -> Iterable[bytes]:
        method, path, _ = line.split(" ")
        if method == "OPTIONS":
            return iter([head(200, *self.lines, "Content-Length: 0")])
        if method == "GET":
            return whole(self.files.get(path, ""), 200 if path in self.files else 404)
        known = account(line.replace(f" {self.below}/", " /") if self.below else line, asked)
        return whole((known or "").replace("<d:href>/", f"<d:href>{self.below}/"), 207 if known else 404)


STATUS = {"/status.php": NEW}


@pytest.mark.parametrize(
    ("profile", "product", "silence", "because"),
    [
        ("radicale", Product(PLAIN), "never-sends", ""),
        ("radicale", Product(MAILS), "unproven", "it offers scheduling, and radicale has none"),
        ("radicale", Product("DAV: 1, calendar-access, calendar-schedule"), "unproven", "it offers"),
        ("radicale", Product("DAV: calendar-auto-schedule", PLAIN), "unproven", "it offers scheduling"),
        ("radicale", Product(), "unproven", "it does not say what it offers"),
        ("nextcloud", Product(NEXTCLOUD, files=STATUS), "measured", ""),
        ("nextcloud", Product(NEXTCLOUD, files={"/status.php": OLD}), "unproven", "nextcloud 32 or newer"),
        ("nextcloud", Product(NEXTCLOUD, files={"/status.php": "<html>"}), "unproven", "nextcloud 32"),
        ("nextcloud", Product(NEXTCLOUD, files={"/status.php": "[32]"}), "unproven", "nextcloud 32"),
        ("nextcloud", Product(NEXTCLOUD), "unproven", "nextcloud 32 or newer"),
        ("nextcloud", Product(MAILS, files=STATUS), "unproven", "it does not show that it is nextcloud"),
        ("nextcloud", Product(MAILS, CYRUS, files=STATUS), "unproven", "does not show"),
        ("cyrus", Product("DAV: 1, 2", MAILS, "DAV: addressbook", CYRUS), "measured", ""),
        ("cyrus", Product(MAILS), "unproven", "it does not show that it is cyrus"),
        ("cyrus", Product(NEXTCLOUD, files=STATUS), "unproven", "it does not show that it is cyrus"),
        ("open-xchange", Product(MAILS), "unproven", "it was never measured"),
        ("generic", Product(PLAIN), "unproven", "it was never measured"),
    ],
)
def test_silence_is_what_a_server_bears_out(
    profile: str, product: Product, silence: str, because: str
) -> None:
    with raw(product) as server:
        opened = target(server, profile)
        assert isinstance(opened, Schedules)
        assert opened.silence() == silence
        facts = opened.server()
        asked = [one for one in server.requests if one.startswith((b"OPTIONS", b"GET"))]
        assert len(asked) == (2 if "nc-" in " ".join(product.lines) and profile == "nextcloud" else 1)
    assert facts["silence"] == silence
    assert because in facts.get("because", "")
    assert bool(because) == ("because" in facts)
    assert facts["auto-schedule"] == ("no" if product.lines in {(PLAIN,), ()} else "yes")


def test_a_nextcloud_below_a_path_tells_its_version_there() -> None:
    script = Product(NEXTCLOUD, files={"/cloud/status.php": NEW}, below="/cloud/remote.php/dav")
    with raw(script) as server:
        assert target(server, "nextcloud", path="/cloud/remote.php/dav/").silence() == "measured"


def test_a_server_that_is_busy_is_asked_later() -> None:
    product = Product(NEXTCLOUD, files=STATUS)

    def busy(line: str, asked: bytes) -> Iterable[bytes]:
        return whole("", 503, "Retry-After: 99") if line.startswith("GET") else product(line, asked)

    with raw(busy) as server:
        opened = target(server, "nextcloud")
        with pytest.raises(Transient, match="busy"):
            opened.silence()
        server.script = product
        assert opened.silence() == "measured"


def test_contacts_invite_nobody_and_nothing_is_said_of_it() -> None:
    with raw(Product(MAILS)) as server:
        assert target(server, "radicale", Kind.CONTACTS).server() == {"profile": "radicale"}


@pytest.mark.parametrize("product", ["nextcloud", "cyrus", "open-xchange", "deaf"])
def test_practice_servers_show_what_they_play(desk: Desk, product: ProductName) -> None:
    said = {}
    with SmtpSink() as sink:
        server = start_scheduling(desk.radicale, product, sink, around=manners(product, desk.radicale))
        try:
            there = Desk(desk.radicale, desk.user, desk.spool, server)
            for profile in ("nextcloud", "cyrus", "radicale", "generic"):
                said[profile] = there.open(*server.layers, profile=profile).silence()
            there.close()
        finally:
            server.stop()
    measured = {product} & {"nextcloud", "cyrus"}
    assert {profile for profile, word in said.items() if word != "unproven"} == measured


def test_a_radicale_never_sends(desk: Desk) -> None:
    assert desk.open(profile="radicale").silence() == "never-sends"
    assert desk.open(profile="nextcloud").silence() == "unproven"
