"""One person's mail comes from an IMAP server, their calendars and contacts from an Exchange, by the commands
of a user: one configuration, one ledger."""

from __future__ import annotations

import re
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import httpx
import pytest
from imapclient import IMAPClient
from proving import Place, accounted, asked, until
from servers.dovecot import Dovecot, start_dovecot
from walking import letter

from practice.dav.radicale import USER_PASSWORD, start_radicale
from practice.exchange.server import ExchangeServer
from practice.world.world import World

pytestmark = [pytest.mark.dovecot, pytest.mark.prefect, pytest.mark.timeout(600)]
MAILS = 30
WAVE = ("--wave", "pilot")
WORDS = ("--execute", "--by", "A. Auditor", "--reason", "the wrong people")
WORKLOADS = {"calendar": "caldav", "contacts": "carddav"}
WORKLOAD_OF = {".ics": "calendar", ".vcf": "contacts"}
_HREF = re.compile(r"<href>([^<]+)</href>")
NAMES = b'<propfind xmlns="DAV:"><prop><getetag/></prop></propfind>'


class House:
    """Two people, where they are, and where they move to."""

    def __init__(self, place: Place, mail: Dovecot, url: str) -> None:
        self.place, self.mail, self.url = place, mail, url

    def letters(self, user: str, first: int, count: int) -> None:
        with self._client(user) as client:
            for number in range(first, first + count):
                client.append("INBOX", letter(number), [])

    def messages(self, user: str) -> int:
        with self._client(user) as client:
            return int(client.select_folder("INBOX", readonly=True)[b"EXISTS"])

    def moved(self) -> Counter[tuple[str, str]]:
        """(workload, target account) of everything that arrived."""
        found: Counter[tuple[str, str]] = Counter()
        for user in self.place.pairs.values():
            found["mail", user] += self.messages(user)
            for href in self._below(f"/{quote(user)}/", user):
                found[WORKLOAD_OF.get(href[-4:], ""), user] += 1
        return Counter({key: count for key, count in found.items() if key[0] and count})

    def _below(self, path: str, user: str) -> Iterator[str]:
        """The addresses of all that is below a collection."""
        login = (user, USER_PASSWORD)
        answer = httpx.request("PROPFIND", self.url + path, headers={"Depth": "1"}, content=NAMES, auth=login)
        for href in _HREF.findall(answer.text):
            if href.rstrip("/") != path.rstrip("/"):
                yield href
                if href.endswith("/"):
                    yield from self._below(href, user)

    def _client(self, user: str) -> IMAPClient:
        client = IMAPClient(self.mail.host, port=self.mail.port, ssl=False)
        client.login(f"{user}*{self.mail.master_user}", self.mail.master_password)
        return client


def side(server: Dovecot) -> dict[str, str]:
    return {
        "kind": '"imap"',
        "host": f'"{server.host}"',
        "port": str(server.port),
        "security": '"none"',
        "auth": '"master-user"',
        "username": '"migrator"',
        "password": '{ file = "target-password" }',
    }


@pytest.fixture
def house(tmp_path: Path, environment: dict[str, str]) -> Iterator[House]:
    world = World(seed=5, people=2, items=5, pim=6)
    pairs = {source: source.partition("@")[0] + "@new.example" for source in world.addresses()}
    with ExchangeServer(world) as exchange:
        mail, dav = start_dovecot([*pairs, *pairs.values()]), start_radicale(pairs.values())
        try:
            place = Place(tmp_path / "place", exchange, mail.host, mail.port, pairs, environment)
            place.tables = {"source.mail": side(mail)} | {
                f"target.{workload}": {
                    "kind": f'"{kind}"',
                    "url": f'"{dav.url}"',
                    "profile": '"radicale"',
                    "password": '{ file = "dav-password" }',
                }
                for workload, kind in WORKLOADS.items()
            }
            place.configure().secret("dav", USER_PASSWORD)
            found = House(place, mail, dav.url)
            for source in pairs:
                found.letters(source, 0, MAILS)
            yield found
        finally:
            mail.stop()
            dav.stop()


def edit(place: Place, before: str, after: str) -> str:
    """Change kogge.toml; returns what it was."""
    file = place.directory / "kogge.toml"
    text = file.read_text()
    assert before in text
    file.write_text(text.replace(before, after))
    return text


def test_two_sources_of_one_person_from_the_check_to_the_rollback(house: House) -> None:
    place = house.place
    checked = place.run("check", *WAVE, "--json")
    document = checked.document()
    assert checked.code == 0, checked
    servers = document["servers"]
    assert isinstance(servers, dict)
    assert {"source", "source.mail", "target", "target.calendar", "target.contacts"} <= set(servers)
    assert place.run("plan").code == 0
    assert place.run("migrate", "--dry-run", *WAVE, "--json").code == 0
    assert house.moved() == Counter(), "a dry run writes nothing"

    aim = asked(place.exchange) + 12
    with place.running("migrate", *WAVE, "--json") as running:
        until(lambda: asked(place.exchange) >= aim, running)
        time.sleep(0.2)
    done = place.migrate()
    assert done.code == 0, done
    accounted(place)
    there = house.moved()
    assert all(there["mail", user] == MAILS for user in place.pairs.values())
    assert {workload for workload, _ in there} == {"mail", *WORKLOADS}
    bound = {
        (str(workload), str(identity).partition(":")[0])
        for workload, identity in place.query("SELECT workload, source_identity FROM leg")
    }
    assert bound == {("mail", "imap"), ("calendar", "ews"), ("contacts", "ews")}

    copied = place.query("SELECT sum(copied) FROM leg")
    assert place.migrate().code == 0
    assert place.query("SELECT sum(copied) FROM leg") == copied, "another pass has nothing to copy"
    assert place.run("verify", *WAVE, "--level", "both", "--json").code == 0
    assert house.moved() == there
    assert place.run("keys", "new", "A. Auditor", "--out", "key.pem").code == 0
    public = place.run("keys", "public", "--key", "key.pem").out
    (place.directory / "key.pub").write_text(public)
    assert place.run("audit", "seal", *WAVE, "--key", "key.pem", "--out", "packs").code == 0
    judged = place.run("audit", "verify", "packs", "--pubkey", "key.pub")
    assert judged.out.endswith("verdict: unanchored\n"), judged.out

    live(house, there)
    undone = place.run("rollback", *WAVE, *WORDS, "--json")
    assert undone.code == 0, undone
    assert set(house.moved()) == {("mail", user) for user in place.pairs.values()}
    assert all(house.messages(user) == 1 for user in place.pairs.values()), "what is their own stays"


def live(house: House, there: Counter[tuple[str, str]]) -> None:
    """The users work at the target; what is late at either source is added."""
    place = house.place
    for phase in ("frozen", "live"):
        moved = place.run("phase", phase, *WAVE, "--by", "A. Auditor", "--reason", "a trial", "--yes")
        assert moved.code == 0, moved
    for source, target in place.pairs.items():
        house.letters(target, 900, 1)
        house.letters(source, 100, 2)
    assert place.migrate().code == 0
    now = house.moved()
    for user in place.pairs.values():
        assert now["mail", user] == there["mail", user] + 3
        assert now["calendar", user] == there["calendar", user]


def test_a_workload_that_is_switched_to_another_source_is_blocked(house: House) -> None:
    place = house.place
    assert place.migrate().code == 0
    there = house.moved()
    text = edit(place, "[source.mail]", "[source.mail_]")
    assert place.run("check").code == 2, "a wrong table is named, and nothing is asked"
    (place.directory / "kogge.toml").write_text(_without_mail(text))
    assert place.migrate().code == 1
    codes = {str(workload): code for workload, code in place.query("SELECT workload, code FROM leg")}
    assert codes == {"mail": "identity-changed", "calendar": None, "contacts": None}
    assert house.moved() == there
    (place.directory / "kogge.toml").write_text(text)
    assert place.run("retry", *WAVE).code == 0
    assert place.migrate().code == 0
    accounted(place)


def _without_mail(text: str) -> str:
    head, _, rest = text.partition("[source.mail]")
    return head + rest[rest.index("[") :]
