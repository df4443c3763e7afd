"""A place to run the real `kogge` from, and what an independent client then finds at the target.

Nothing here uses Kogge's own IMAP code: the target is read by a plain imapclient loop, logged in as the
user, so that a fault in the connector cannot hide itself.
"""

from __future__ import annotations

import io
import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from forking.commands import FORKED, ForkedCommand
from imapclient import IMAPClient
from interrupts import interruptible
from servers.dovecot import Dovecot

from ledger.db.rows import State
from mappings.mail.digest import canonical
from practice.exchange.server import ExchangeServer
from practice.servers.dovecot import USER_PASSWORD

KOGGE = str(Path(sys.executable).with_name("kogge"))
PATIENCE = 150.0
SETTLED = frozenset({State.VERIFIED, State.SKIPPED, State.REJECTED, State.GONE})
CHUNK = 50

Seen = tuple[str, bytes, frozenset[bytes], str]
"""Folder, canonical digest, flags, INTERNALDATE."""


@dataclass(frozen=True, slots=True)
class Done:
    """A command that ended. out and err are all it said."""

    code: int
    out: str
    err: str

    def document(self) -> dict[str, object]:
        found: dict[str, object] = json.loads(self.out)
        return found


@dataclass
class Place:
    """A directory with a configuration. pairs: source address -> target account. extra lines go to the
    end of the named table of kogge.toml."""

    directory: Path
    exchange: ExchangeServer
    host: str
    port: int
    pairs: dict[str, str]
    environment: dict[str, str]
    source: dict[str, str] = field(default_factory=dict)
    target: dict[str, str] = field(default_factory=dict)
    tables: dict[str, dict[str, str]] = field(default_factory=dict)
    started: datetime = field(default_factory=lambda: datetime.now(UTC))

    def configure(self) -> Place:
        """Writes every file anew, from what the fields say now."""
        self.directory.mkdir(exist_ok=True)
        account = next(a for a in self.exchange.world.service_accounts.values() if a.may_impersonate)
        source = {
            "kind": '"ews"',
            "url": f'"{self.exchange.url}"',
            "auth": '"basic"',
            "username": f'"{account.address}"',
            "password": '{ file = "source-password" }',
            **self.source,
        }
        target = {
            "kind": '"imap"',
            "host": f'"{self.host}"',
            "port": str(self.port),
            "security": '"none"',
            "auth": '"master-user"',
            "username": '"migrator"',
            "password": '{ file = "target-password" }',
            **self.target,
        }
        gate = {"directory": '"directory.csv"'}
        pace = {"write_grace_seconds": "1", "canary": "false"}
        target |= self.tables.pop("target.mail", {})
        tables = {"source": source, "target.mail": target, "gate": gate, "run": pace}
        tables["approval"] = {"required": "0"}
        rows = "".join(f"{one},{other}\n" for one, other in self.pairs.items())
        self._write("kogge.toml", _toml({**tables, **self.tables}))
        self._write("directory.csv", f"source,target\n{rows}")
        self._write("mailboxes.csv", "source,target,wave\n" + rows.replace("\n", ",pilot\n"))
        self.secret("source", account.password)
        self.secret("target", "migratorpw")
        return self

    def secret(self, side: str, password: str) -> None:
        self._write(f"{side}-password", password + "\n")

    def _write(self, name: str, text: str) -> None:
        (self.directory / name).write_text(text, encoding="utf-8")

    @property
    def state(self) -> Path:
        return self.directory / "kogge-state"

    @contextmanager
    def running(
        self, *arguments: str, limits: Callable[[], None] | None = None, start: bool = False
    ) -> Iterator[Running]:
        """The command in a process group of its own, which is gone when the context ends.

        With start it is started really, for what happens while it imports.
        """
        is_forked = arguments[0] in FORKED and limits is None and not start
        kind = ForkedCommand if is_forked else subprocess.Popen[str]
        with interruptible():
            process = kind(
                [KOGGE, *arguments],
                cwd=self.directory,
                env=self.environment,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
                start_new_session=True,
                preexec_fn=limits,
            )
        running = Running(process)
        try:
            yield running
        finally:
            running.kill()

    def run(self, *arguments: str, limits: Callable[[], None] | None = None) -> Done:
        with self.running(*arguments, limits=limits) as running:
            return running.end()

    def migrate(self) -> Done:
        return self.run("migrate", "--wave", "pilot", "--json")

    def seen(self, dovecot: Dovecot) -> Counter[Seen]:
        """All mailboxes of the target, as multiset; dates that are this run's own are all the same."""
        return sum((_mailbox(dovecot, user, self.started) for user in self.pairs.values()), Counter())

    def query(self, statement: str) -> list[tuple[object, ...]]:
        """What the ledger's file says."""
        connection = sqlite3.connect(f"file:{self.state}/ledger.db?mode=ro", uri=True, timeout=30)
        try:
            return connection.execute(statement).fetchall()
        finally:
            connection.close()

    def states(self) -> Counter[State]:
        rows = self.query(
            "SELECT i.state, count(*) FROM item i JOIN container c ON c.id = i.container GROUP BY 1"
        )
        return Counter({State(int(str(state))): int(str(count)) for state, count in rows})

    def codes(self) -> Counter[str]:
        """Why items were rejected."""
        rows = self.query(f"SELECT code, count(*) FROM item WHERE state = {int(State.REJECTED)} GROUP BY 1")
        return Counter({str(code): int(str(count)) for code, count in rows})

    def is_planned(self) -> bool:
        """Whether there is a ledger with its tables."""
        if not (self.state / "ledger.db").exists():
            return False
        return bool(self.query("SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = 'leg'"))

    def legs(self) -> dict[str, tuple[str, str | None, str | None]]:
        """target account -> state, code, owner."""
        rows = self.query(
            "SELECT m.target, l.state, l.code, l.owner FROM leg l JOIN mailbox m ON m.id = l.mailbox"
        )
        return {str(t): (str(s), c and str(c), o and str(o)) for t, s, c, o in rows}

    def events(self) -> list[str]:
        return [str(kind) for (kind,) in self.query("SELECT kind FROM event ORDER BY seq")]


@dataclass
class Running:
    """A command at work."""

    process: subprocess.Popen[str]

    def signal(self, number: signal.Signals) -> None:
        self.process.send_signal(number)

    def kill(self) -> None:
        """SIGKILL to it and all its children, as when the machine dies. Nothing, when it has ended."""
        with suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.communicate()

    def end(self) -> Done:
        """Waits until it ends; a run that hangs is a failure."""
        try:
            out, err = self.process.communicate(timeout=PATIENCE)
        except subprocess.TimeoutExpired:
            self.process.send_signal(signal.SIGABRT)  # Python's fault handler tells where it hangs
            raise AssertionError(f"the command hangs: {self.process.communicate()[1]}") from None
        assert "Traceback" not in err, err
        return Done(self.process.returncode, out, err)

    def ended(self) -> bool:
        return self.process.poll() is not None


def until(condition: Callable[[], bool], running: Running | None = None, seconds: float = 60.0) -> bool:
    """Waits for the condition; False when the process ended before. Fails when neither comes."""
    deadline = time.monotonic() + seconds
    while not condition():
        if running is not None and running.ended():
            return False
        assert time.monotonic() < deadline, "it did not come to pass"
        time.sleep(0.005)
    return True


def asked(exchange: ExchangeServer) -> int:
    """How many requests the Exchange has answered: a clock that runs with the work."""
    return exchange.requests.total()


def accounted(place: Place) -> None:
    """Every leg verified, nobody holds one, every item has a fate."""
    assert {leg[0] for leg in place.legs().values()} == {"verified"}, place.legs()
    assert {leg[2] for leg in place.legs().values()} == {None}
    assert set(place.states()) <= SETTLED, place.states()


def _toml(tables: Mapping[str, Mapping[str, str]]) -> str:
    return "".join(
        f"[{name}]\n" + "".join(f"{key} = {value}\n" for key, value in table.items())
        for name, table in tables.items()
    )


def _mailbox(dovecot: Dovecot, user: str, started: datetime) -> Counter[Seen]:
    found: Counter[Seen] = Counter()
    with IMAPClient(dovecot.host, dovecot.port, ssl=False) as client:
        client.normalise_times = False
        client.login(user, USER_PASSWORD)
        for flags, _, name in client.list_folders():
            if b"\\Noselect" in flags:
                continue
            client.select_folder(name, readonly=True)
            uids = client.search("ALL")
            for start in range(0, len(uids), CHUNK):
                fetched = client.fetch(uids[start : start + CHUNK], ["BODY.PEEK[]", "FLAGS", "INTERNALDATE"])
                for one in fetched.values():
                    digest = canonical(io.BytesIO(one[b"BODY[]"])).digest
                    kept = frozenset(flag.lower() for flag in one[b"FLAGS"]) - {b"\\recent"}
                    found[name, digest, kept, _date(one[b"INTERNALDATE"], started)] += 1
    return found


def _date(found: datetime, started: datetime) -> str:
    """A mail without a date, or with one in the future, carries the moment of the run."""
    moment = found.astimezone(UTC)
    return "of the run" if moment >= started.replace(microsecond=0) else moment.isoformat()
