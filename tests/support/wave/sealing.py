"""A wave of two mailboxes that is ready to be sealed: one walked for real, one with every fate there is."""

from __future__ import annotations

import gzip
import json
import shutil
from base64 import b64decode, b64encode
from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from lonely import TOML
from memory.doubles import MemoryStore
from walking import Trial, a_mailbox, edit

from engine.config.load import Config, load
from evidence.reseal import interrupted
from evidence.seal import Sealed, SealRequest, outlook, write
from ledger.db.rows import Finding, LegState, Outcome, Phase
from ledger.leg.leg_session import LegLedger
from ledger.plan.mailboxes import PlannedMailbox
from ledger.store import Ledger
from model.kinds import Kind
from model.protocols import Container, Item, Loss, Mapped, Page, Ref, Stored, key_of
from model.signing_keys import new_key, read_key, write_key

WAVE = "w"
SEAL = ("audit", "seal", "--wave", WAVE, "--key", "operator.pem", "--out", "evidence")
"""What an operator types."""
KEK = bytes(32)
"""As the walks of tests/support/walking.py have it."""
DRIVE = Container(Kind.FILES, "drive-root", ("Vertraulich",), total=8)
SECRETS = (
    "anna@", "berta@", "old.example", "new.example", "Posteingang", "Bücher", "Entwürfe", "Umbenannt",
    "letter ", "@x.example", "Vertraulich", "Gehaltsliste", "drive-root",
)  # fmt: skip
"""What people wrote or are called, anywhere in both mailboxes."""


@dataclass
class Office:
    """A directory with a configuration, its ledger, and an operator's key."""

    place: Path

    @property
    def config(self) -> Config:
        return load(self.place / "kogge.toml")

    @property
    def out(self) -> Path:
        return self.place / "evidence"

    @property
    def pack(self) -> Path:
        return self.out / f"wave-{WAVE}"

    def ledger(self) -> Ledger:
        return Ledger(f"sqlite:///{self.place}/kogge-state/ledger.db")

    def order(self, **changes: Any) -> SealRequest:
        key = read_key(self.place / "operator.pem")
        return SealRequest(**{"wave": WAVE, "key": key, "out": self.out, **changes})

    def seal(self, ledger: Ledger | None = None, **changes: Any) -> Sealed:
        """As the command does, once nothing speaks against it."""
        opened = ledger or self.ledger()
        try:
            order = self.order(**changes)
            done = interrupted(opened, order)
            if done is not None:
                return done
            return write(self.config, opened, order, outlook(opened, WAVE), lambda: None)
        finally:
            if ledger is None:
                opened.close()

    def copy(self, place: Path) -> Office:
        shutil.copytree(self.place, place)
        return Office(place)


def settle(place: Path) -> Office:
    """The office, and both mailboxes moved; all that there is, is in their inventories."""
    place.mkdir(parents=True, exist_ok=True)
    (place / "kogge.toml").write_text(TOML)
    write_key(place / "operator.pem", new_key()[0])
    write_key(place / "evidence.key", b64encode(KEK).decode() + "\n")
    (place / "kogge-state").mkdir(mode=0o700)
    office = Office(place)
    mailbox = a_mailbox()
    trial = Trial(place, mailbox, MemoryStore(), url=f"sqlite:///{place}/kogge-state/ledger.db")
    assert trial.finish().state is LegState.VERIFIED
    edit(mailbox)
    trial.ledger.requeue(states=list(LegState))
    assert trial.finish().state is LegState.VERIFIED
    trial.ledger.close()
    with _files(office) as session:
        _every_fate(session)
    return office


class _files:  # noqa: N801  (reads as the function it is)
    """The files of another mailbox, at work until the end, then verified."""

    def __init__(self, office: Office) -> None:
        self._ledger = office.ledger()
        row = PlannedMailbox(
            "berta@old.example", "berta@new.example", WAVE, Phase.STAGING, frozenset({Kind.FILES})
        )
        (self._id,) = self._ledger.add_mailboxes([row])

    def __enter__(self) -> LegLedger:
        (leg,) = self._ledger.legs(mailbox=str(self._id))
        lease = self._ledger.claim(leg.id, "worker", 60)
        assert lease is not None
        self._lease = lease
        self._session = self._ledger.session(lease, mirror=True)
        return self._session

    def __exit__(self, *_error: object) -> None:
        self._session.close()
        assert self._ledger.release(self._lease, LegState.VERIFIED)
        self._ledger.close()


def _every_fate(session: LegLedger) -> None:
    place = session.record_container(DRIVE).id
    names = ("same", "rebuilt", "lost", "skipped", "rejected", "unread", "withdrawn", "changed")
    keys = {name: key_of(name) for name in names}
    refs = tuple(Ref(name, "1", size=None if name == "unread" else 40) for name in names)
    session.record_page(place, Page(refs, "1"))
    session.close_inventory(KEK)
    _copy(session, place, [name for name in names if name not in ("skipped", "rejected")])
    session.settle(
        place, [], rejected=[(keys["rejected"], "too-large")], skipped=[(keys["skipped"], "empty-file")]
    )
    session.record_page(place, Page((Ref("changed", "2", size=50), Ref("withdrawn", "2", deleted=True)), "2"))
    session.close_inventory(KEK)
    session.withdrawn(place, [keys["withdrawn"]])
    _copy(session, place, ["changed"])
    session.replace_findings(place, [Finding(Outcome.REBUILT, keys["rebuilt"], "x", "")])
    session.verified(place, [keys[name] for name in ("same", "rebuilt", "lost", "changed")])


def _copy(session: LegLedger, place: int, names: list[str]) -> None:
    keys = [key_of(name) for name in names]
    losses = {"lost": (Loss("shares", "person-later"), Loss("modified", "not-kept"))}
    session.begin(place, keys, ":0")
    session.intend(place, [_mapped(name, losses.get(name, ())) for name in names])
    session.settle(place, [Stored(key_of(name), f"Gehaltsliste {name}.xlsx", "etag") for name in names])


def _mapped(name: str, losses: tuple[Loss, ...]) -> Mapped:
    key = key_of(name)
    return Mapped(Item(Kind.FILES, key, sha256(key).digest(), 44, _no_body, name=name), losses)


def _no_body() -> Any:
    raise AssertionError("nobody reads it")


def stated(pack: Path) -> dict[str, Any]:
    """The predicate, without any code of the program."""
    envelope = json.loads((pack / "wave.dsse.json").read_bytes())
    return dict(json.loads(b64decode(envelope["payload"]))["predicate"])


def contents(pack: Path) -> dict[str, bytes]:
    """Every file, unpacked."""
    found = {path.relative_to(pack).as_posix(): path for path in pack.rglob("*") if path.is_file()}
    return {
        name: gzip.decompress(path.read_bytes()) if name.endswith(".gz") else path.read_bytes()
        for name, path in found.items()
    }


def rows(pack: Path, folder: str, mailbox: str = "m-") -> Iterator[dict[str, Any]]:
    """Every line of one side, headers too."""
    for name, data in sorted(contents(pack).items()):
        if name.startswith(f"data/{folder}/{mailbox}"):
            yield from map(json.loads, data.splitlines())


def section(pack: Path, folder: str, kind: Kind, mailbox: str = "m-") -> Iterator[dict[str, Any]]:
    """The lines of one kind, without headers. mailbox: of those whose id begins so."""
    now = None
    for row in rows(pack, folder, mailbox):
        now = row.get("section", now)
        if "i" in row and now == kind.value:
            yield row


def raw(pack: Path) -> dict[str, bytes]:
    """Every file as it is."""
    files = {path.relative_to(pack).as_posix(): path for path in pack.rglob("*") if path.is_file()}
    return {name: path.read_bytes() for name, path in files.items()}


@pytest.fixture(scope="module")
def settled(tmp_path_factory: pytest.TempPathFactory) -> Office:
    """Made once; whoever changes it takes a copy."""
    return settle(tmp_path_factory.mktemp("office"))


@pytest.fixture
def office(settled: Office, tmp_path: Path) -> Office:
    return settled.copy(tmp_path / "office")


@pytest.fixture
def place(settled: Office, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Office:
    office = settled.copy(tmp_path / "office")
    monkeypatch.chdir(office.place)
    monkeypatch.setenv("COLUMNS", "200")
    return office
