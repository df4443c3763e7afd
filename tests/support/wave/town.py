"""A few people whose mail has moved from one account of a real Dovecot to another."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import pytest
from imapclient import IMAPClient
from servers.dovecot import Dovecot, start_dovecot
from services import need_dovecot
from walking import letter

from engine.assembly import build_leg
from engine.config.load import load
from engine.planning.load_plan import plan
from ledger.db.rows import LegState
from ledger.store import Ledger

PEOPLE = ("anna", "bert", "carl")
TOWNS = 30
MASTER = "KOGGE_TEST_TOWN_MASTER"
SIDE = """
kind = "imap"
host = "127.0.0.1"
port = {port}
security = "none"
auth = "master-user"
username = "{master}"
password = {{ env = "{variable}" }}
"""


@dataclass
class Town:
    """People by name: their mailboxes' ids, and their accounts of before and after."""

    folder: Path
    server: Dovecot
    ids: dict[str, str]
    sources: dict[str, str]
    targets: dict[str, str]

    @classmethod
    def settled(
        cls, folder: Path, server: Dovecot, number: int, waves: Mapping[str, str], items: int
    ) -> Self:
        """The server's town of this number: `items` messages of each person, by wave, have moved."""
        sources = {who: account(who, number, "old") for who in waves}
        town = cls(folder, server, {}, sources, {who: account(who, number, "new") for who in waves})
        for source in sources.values():
            town.deliver(source, *map(letter, range(items)))
        pairs = {who: f"{sources[who]},{town.targets[who]}" for who in waves}
        rows = [f"{pairs[who]},{wave}" for who, wave in waves.items()]
        (folder / "mailboxes.csv").write_text("\n".join(["source,target,wave", *rows]) + "\n")
        (folder / "people.csv").write_text("\n".join(["source,target", *pairs.values()]) + "\n")
        config = load(folder / "kogge.toml")
        config.state_directory.mkdir(mode=0o700)
        with closing(town.ledger()) as ledger:
            ledger.migrate()
            plan(config, ledger, None)
            found = {row.source: row.id for row in ledger.mailboxes()}
            town.ids = {who: found[source] for who, source in sources.items()}
            for leg in ledger.legs():
                result = build_leg(config, leg.id).run()
                assert (result.state, result.code) == (LegState.VERIFIED, None)
        return town

    def ledger(self) -> Ledger:
        return Ledger(load(self.folder / "kogge.toml").ledger_url())

    def client(self, user: str) -> IMAPClient:
        client = IMAPClient(self.server.host, port=self.server.port, ssl=False)
        client.login(f"{user}*{self.server.master_user}", self.server.master_password)
        return client

    def lose_server(self) -> None:
        """From now on no command reaches it: nothing listens at the port of the configuration."""
        file = self.folder / "kogge.toml"
        file.write_text(file.read_text().replace(f"port = {self.server.port}\n", "port = 1\n"))

    def deliver(self, user: str, *mails: bytes, folder: str = "INBOX") -> None:
        with self.client(user) as client:
            if not client.folder_exists(folder):
                client.create_folder(folder)
            for mail in mails:
                client.append(folder, mail, [])

    def messages(self, who: str, folder: str = "INBOX") -> int:
        with self.client(self.targets[who]) as client:
            return int(client.select_folder(folder)[b"EXISTS"])


@pytest.fixture(scope="module")
def dovecot() -> Iterator[Dovecot]:
    """Its accounts are enough for TOWNS towns."""
    need_dovecot()
    sides = ("old", "new")
    users = [account(who, number, side) for number in range(TOWNS) for who in PEOPLE for side in sides]
    running = start_dovecot(users)
    yield running
    running.stop()


def account(who: str, number: int, side: str) -> str:
    return f"{who}{number}@{side}.example"


def configure(folder: Path, server: Dovecot, monkeypatch: pytest.MonkeyPatch, more: str) -> None:
    """Goes to the folder, whose configuration has the server on both sides, and `more`."""
    monkeypatch.chdir(folder)
    monkeypatch.setenv(MASTER, server.master_password)
    side = SIDE.format(port=server.port, master=server.master_user, variable=MASTER)
    (folder / "kogge.toml").write_text(f"[source]{side}[target.mail]{side}{more}")
