"""Rules move with their owner's mail by the commands of a user, through kills, a second run and a rollback:
they act after the freeze, and a delivered mail lands in the folder that its rule names."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
from pigeonhole_fixtures import pigeonhole_fixture
from proving import Place, accounted, asked, until
from servers.pigeonhole import Pigeonhole

from connectors.settings import Account, Secret
from connectors.sieve.record import NAME
from connectors.sieve.session import Session
from connectors.sieve.settings import SieveSettings
from practice.exchange.server import ExchangeServer
from practice.servers.dovecot import USER_PASSWORD
from practice.world import rules
from practice.world.rules import InboxRule
from practice.world.world import World

pytestmark = [
    pytest.mark.dovecot,
    pytest.mark.prefect,
    pytest.mark.timeout(600),
]
OWN = '# mine\nrequire ["fileinto"];\nif header :contains "Subject" "Lotto" { fileinto "Junk"; stop; }\n'
CUTOVER = ("cutover", "--wave", "pilot", "--by", "A. Engineer", "--json")
WORDS = ("--execute", "--by", "A. Auditor", "--reason", "the wrong people")


USERS = tuple(f"login{number}@new.example" for number in range(10))
_fresh = iter(USERS)
pigeonhole = pigeonhole_fixture(USERS, addresses=True)


class Office:
    """An Exchange, the server with Pigeonhole, and who moves from one to the other."""

    def __init__(self, place: Place, server: Pigeonhole, logins: list[str]) -> None:
        self.place, self.server, self.logins = place, server, logins

    @contextmanager
    def session(self, login: str) -> Iterator[Session]:
        """A session of the person's own."""
        settings = SieveSettings(
            host=self.server.host,
            port=self.server.sieve_port,
            auth="password",
            password=Secret(file=str(self.place.directory / "own-password")),
            tls={"ca_file": str(self.server.ca_file)},
        )
        with closing(Session(settings, Account(login=login, address=login), lambda: None)) as session:
            yield session

    def acts(self, login: str) -> str:
        """The script that acts; "" if none does."""
        with self.session(login) as session:
            names = [one.name for one in session.scripts() if one.active]
            return "".join((session.read(name) or b"").decode() for name in names)

    def kept(self, login: str) -> str:
        """The script in which rules wait."""
        with self.session(login) as session:
            return (session.read(NAME) or b"").decode()

    def shown(self, login: str) -> list[dict[str, str]]:
        """What `kogge settings` shows a help desk."""
        done = self.place.run("settings", "-m", login, "--by", "Help desk", "--json")
        assert done.code == 0, done
        found: list[dict[str, str]] = json.loads(done.out)
        return found

    def names(self, login: str) -> set[str]:
        with self.session(login) as session:
            return {one.name for one in session.scripts()}

    def deliver(self, login: str, subject: str, **headers: str) -> None:
        lines = {"From": "sender@old.example", "To": login, "Subject": subject, **headers}
        head = "".join(f"{name}: {value}\r\n" for name, value in lines.items())
        self.server.deliver(login, f"{head}\r\ntext\r\n")

    def kill_a_run(self, *words: str) -> None:
        """When the Exchange has answered forty requests more."""
        with self.place.running(*words) as running:
            aim = asked(self.place.exchange) + 40
            until(lambda: asked(self.place.exchange) >= aim, running)


@pytest.fixture
def office(tmp_path: Path, environment: dict[str, str], pigeonhole: Pigeonhole) -> Iterator[Office]:
    world = World(seed=7, people=2, items=8, pim=0)
    pairs = {address: next(_fresh) for address in world.addresses()}
    server = pigeonhole
    with ExchangeServer(world) as exchange:
        place = Place(tmp_path / "place", exchange, server.host, server.port, pairs, environment)
        place.tables = {
            "target.settings": {
                "kind": '"managesieve"',
                "host": f'"{server.host}"',
                "port": str(server.sieve_port),
                "dialect": '"roundcube"',
                "auth": '"master-user"',
                "username": '"migrator"',
                "password": '{ file = "target-password" }',
                "tls": f'{{ ca_file = "{server.ca_file}" }}',
            }
        }
        place.configure()
        place.secret("own", USER_PASSWORD)
        yield Office(place, server, list(pairs.values()))


def test_rules_act_after_the_freeze(office: Office) -> None:
    place, server, (first, second) = office.place, office.server, office.logins
    with office.session(first) as session:
        session.put("mine", OWN.encode())
        session.activate("mine")
    office.kill_a_run("migrate", "--wave", "pilot")
    for _ in range(2):
        done = place.migrate()
        assert done.code == 0, done
        accounted(place)
    assert NAME in office.names(first)
    assert {one["effect"] for one in office.shown(first)} == {"waits", "switched off", "not there"}
    assert office.acts(first).replace("\r\n", "\n") == OWN, "nothing of ours acts while the mailbox is filled"
    office.deliver(first, "Rundschreiben 1")
    assert server.subjects(first, "INBOX")[-1] == "Rundschreiben 1"

    office.kill_a_run(*CUTOVER)
    for _ in range(2):
        done = place.run(*CUTOVER)
        assert done.code == 0, done
    acts = office.acts(first)
    assert acts.count("Rundschreiben") == acts.count("# rule:[Rundschreiben]") * 2 == 2, acts
    assert [name for name in office.names(first) if name == "mine"] == ["mine"], "the own script stays"
    office.deliver(first, "Rundschreiben 2")
    office.deliver(first, "Lotto Rundschreiben 3")
    office.deliver(first, "Nach Hause", From="chef@old.example")
    assert server.subjects(first, "Trash") == ["Rundschreiben 2"]
    assert server.subjects(first, "Junk")[-1:] == ["Lotto Rundschreiben 3"], "the own rules come first"
    assert server.subjects(first, "INBOX")[-1] == "Nach Hause", "what sends mail out is switched off"
    assert office.acts(second) == ""
    both = {one["source"]: one for one in office.shown(first)}
    assert both["Rundschreiben"]["effect"] == "acts"
    assert both["Rundschreiben"]["target"] == 'fileinto "Trash";'
    assert 'if header :contains "Subject" "Rundschreiben"' in both["Rundschreiben"]["text"]
    assert (both["Nach Hause"]["effect"], both["Nach Hause"]["fate"]) == ("switched off", "verified")
    assert place.migrate().code == 0
    assert office.acts(first) == acts, "a live mailbox is left as it is"


def test_a_rule_follows_the_folder_that_it_names(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    """And a rule that is deleted between two passes acts no more."""
    place, server, (first, _) = office.place, office.server, office.logins
    world = place.exchange.world
    mailbox = world.mailbox(next(iter(place.pairs)))
    with world.lock:
        folder = mailbox.create_folder(mailbox.root, "Rechnungen", role="invoices")
    own = InboxRule("Eigene", {"subjectContains": ["Rechnung"]}, {"moveToFolder": "invoices"})
    other = InboxRule("Andere", {"subjectContains": ["Mahnung"]}, {"moveToFolder": "invoices"})
    monkeypatch.setattr(rules, "RULES", (own, other))
    monkeypatch.setattr(rules, "IDS", rules.IDS[:2])
    assert place.migrate().code == 0
    assert office.kept(first).count('fileinto "Rechnungen"') == 2
    with world.lock:
        mailbox.rename(folder, "Belege")
    assert place.migrate().code == 0
    assert office.kept(first).count('fileinto "Belege"') == 2, "though nothing of the rules changed"
    monkeypatch.setattr(rules, "RULES", (own,))
    monkeypatch.setattr(rules, "IDS", rules.IDS[:1])
    done = place.migrate()
    assert done.code == 0, done
    accounted(place)
    assert office.kept(first).count('fileinto "Belege"') == 1
    assert "Rechnungen" not in office.kept(first)
    done = place.run(*CUTOVER)
    assert done.code == 0, done
    office.deliver(first, "Rechnung 1")
    office.deliver(first, "Mahnung 1")
    assert server.subjects(first, "Belege") == ["Rechnung 1"]


def test_a_rule_that_sends_mail_out_acts_once_it_is_allowed(office: Office) -> None:
    place, (first, _) = office.place, office.logins
    allow = ("approve", "rules-send-out", "--wave", "pilot", "--by", "A. Auditor", "--reason", "by contract")
    early = place.run(*allow)
    assert early.code == 2, early
    assert "no rule of these mailboxes" in early.err
    assert place.migrate().code == 0
    shown = place.run("settings", "--wave", "pilot", "--by", "A. Auditor", "--json")
    assert shown.code == 0, shown
    lines = json.loads(shown.out)
    assert {one["source"] for one in lines} == {"Nach Hause"}
    screen = place.run("settings", "--wave", "pilot", "--by", "A. Auditor")
    assert lines[0]["mailbox"] in screen.out, "a person sees whose rule it is"
    assert ["redirect :copy" in one["text"] for one in lines] == [True], "only one of the two has rules"
    allowed = place.run(*allow)
    assert allowed.code == 0, allowed
    assert allowed.out.count("approved rules-send-out for m-") == 1
    assert "example.net" not in allowed.out
    again = place.run(*allow)
    assert again.code == 2, again
    assert "all of these rules are allowed" in again.err
    office.kill_a_run("migrate", "--wave", "pilot")
    for _ in range(2):
        done = place.migrate()
        assert done.code == 0, done
        accounted(place)
    both = {one["source"]: one for one in office.shown(first)}
    assert (both["Nach Hause"]["effect"], both["Nach Hause"]["losses"]) == ("waits", [])
    assert place.run("verify", "--wave", "pilot", "--level", "both").code == 0
    done = place.run(*CUTOVER)
    assert done.code == 0, done
    assert 'redirect :copy "privat@example.net";' in office.acts(first)
    assert "waits" not in {one["effect"] for one in office.shown(first)}


def test_what_nobody_allowed_is_not_switched_on_in_a_live_mailbox(office: Office) -> None:
    place, (first, _) = office.place, office.logins
    assert place.migrate().code == 0
    assert place.run(*CUTOVER).code == 0
    late = place.run("approve", "rules-send-out", "-m", first, "--by", "A. Auditor", "--reason", "late")
    assert late.code == 2, late
    assert "1 mailbox that is live: there the owner switches them on" in late.err


def test_a_rollback_gives_the_own_script_back(office: Office) -> None:
    place, (first, _) = office.place, office.logins
    with office.session(first) as session:
        session.put("mine", OWN.encode())
        session.activate("mine")
    assert place.migrate().code == 0
    done = place.run(*CUTOVER)
    assert done.code == 0, done
    assert "Rundschreiben" in office.acts(first)
    undone = place.run("rollback", "--wave", "pilot", *WORDS, "--json")
    assert undone.code == 0, undone
    assert office.acts(first).replace("\r\n", "\n") == OWN
