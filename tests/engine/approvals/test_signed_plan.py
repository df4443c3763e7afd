"""What approvers sign: a document that they can read, and that a release does not change under them."""

from __future__ import annotations

import hashlib
import json
import stat
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID
from pydantic import create_model
from test_approval import NAMES, SYSTEMS, Office, recorded

from connectors.catalogue.connector import named
from connectors.catalogue.entries import connectors
from connectors.imap.settings import ImapSettings
from engine.approvals import plan_approval, signed_plan
from engine.approvals.plan_approval import START, Statement, approvals_of, plan_of, refuse_unapproved
from engine.approvals.signed_plan import SIGNED, UNSIGNED, VERSION, digest_of, systems_of
from flows.canary_mailbox import _systems
from kogge.approve.approve import ApprovalRequest, approve_plan
from ledger.db.audit_log import Event
from ledger.store import Ledger

MODELS = sorted({one.settings for one in connectors().values()})


@pytest.fixture
def office(tmp_path: Path) -> Iterator[Office]:
    ledger = Ledger(f"sqlite:///{tmp_path}/ledger.db")
    ledger.migrate()
    place = Office(tmp_path, ledger, keys={name: Ed25519PrivateKey.generate() for name in NAMES})
    place.plan()
    place.check()
    place.check(number=1)
    yield place
    ledger.close()


@pytest.mark.parametrize("entry", MODELS)
def test_every_setting_is_signed_or_is_not_and_somebody_decided_that(entry: str) -> None:
    fields = set(named(entry).model_fields)
    assert fields <= SIGNED.keys() | UNSIGNED, (
        "a setting is new: put it into UNSIGNED of engine.approvals.signed_plan, or, where it decides"
        " what goes where, raise VERSION and put it into SIGNED with that"
    )


def test_the_lists_name_what_there_is_once() -> None:
    fields = set().union(*(named(entry).model_fields for entry in MODELS))
    assert not SIGNED.keys() & UNSIGNED
    assert SIGNED.keys() | UNSIGNED == fields
    assert max(SIGNED.values()) <= VERSION


def test_the_first_version_is_what_it_was(office: Office) -> None:
    side = (
        '{"artefacts":[],"auth":"password","host":"%s.example","kind":"imap","master_separator":"*",'
        '"port":993,"security":"tls","username":"x"}'
    )
    rows = ",".join(
        f'["{number}","{name}@old.example","{name}@new.example",null,null,null,["mail"],["directory",null],false]'
        for number, name in sorted(zip(office.ids, "ab", strict=True))
    )
    expected = (
        f'{{"first":null,"mailboxes":[{rows}],"starts":null,"systems":{{"canary":true,"gate":'
        f'{{"accept":"address","control":null,"deny":null,"directory":null}},"source":{side % "old"},'
        f'"targets":{{"mail":{side % "new"}}}}},"wave":"w","window":null}}'
    )
    plan = plan_of(office.config(), office.ledger, "w")
    assert plan.earlier == {hashlib.sha256(expected.encode()).hexdigest()}


def test_a_signature_of_an_earlier_version_counts_while_the_plan_is_the_same(office: Office) -> None:
    (earlier,) = plan_of(office.config(), office.ledger, "w").earlier
    for name in NAMES[:2]:
        office.put(Statement("w", START, earlier, name, "agreed", "2026-01-01T00:00:00+00:00"), name)
    assert office.passes()
    assert not office.passes(office.config(SYSTEMS.replace("new.example", "other.example")))
    office.check("asserted")
    assert office.voids() == ["plan-changed", "plan-changed"]


def with_a_new_setting(monkeypatch: pytest.MonkeyPatch) -> None:
    """A release in which IMAP has a setting more, which is signed."""
    newer = create_model("ImapSettings", __base__=ImapSettings, folded=(bool, False))
    monkeypatch.setattr("connectors.imap.settings.ImapSettings", newer)
    monkeypatch.setattr(signed_plan, "SIGNED", {**SIGNED, "folded": VERSION + 1})
    monkeypatch.setattr(signed_plan, "VERSION", VERSION + 1)
    monkeypatch.setattr(signed_plan.systems_of, "__defaults__", (VERSION + 1,))


def test_a_release_with_a_new_setting_voids_nothing_until_it_is_used(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    office.approve("Anna")
    office.approve("Bernd")
    passed = digest_of(systems_of(office.config()))
    with_a_new_setting(monkeypatch)
    assert office.passes()
    assert passed in _systems(office.config())
    used = office.config(SYSTEMS.replace('host = "new.example"', 'host = "new.example"\nfolded = true'))
    assert used.target.mail.folded
    assert not office.passes(used)
    assert passed not in _systems(used)


def test_a_slower_pace_and_a_new_password_void_nothing(office: Office) -> None:
    office.approve("Anna")
    office.approve("Bernd")
    slower = SYSTEMS.replace('{ env = "X" }', '{ env = "Y" }\nbatch_items = 7\ntimeout_seconds = 5')
    assert office.passes(office.config(slower))


def trusting(*names: str) -> str:
    """Certificates of authorities of these names, as a PEM file."""
    return "".join(authority(name) for name in names)


def authority(name: str) -> str:
    key = Ed25519PrivateKey.generate()
    whose = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    began = datetime(2026, 1, 1, tzinfo=UTC)
    built = x509.CertificateBuilder(whose, whose, key.public_key(), 1, began, began + timedelta(days=9))
    return built.sign(key, None).public_bytes(Encoding.PEM).decode()


def test_other_authorities_are_another_plan_and_another_place_of_them_is_not(office: Office) -> None:
    """Whoever is an authority can stand for any server: with another proxy, all mail went elsewhere."""
    first, second = trusting("one"), trusting("two")
    places = [office.folder / name for name in ("ours.pem", "moved.pem", "theirs.pem")]
    for path, text in zip(places, (first + second, f"# renewed\n{second}{first}", first), strict=True):
        path.write_text(text)
    ours, moved, theirs = (
        office.config(SYSTEMS.replace('security = "none"', "", 1).replace(
            'host = "old.example"', f'host = "old.example"\ntls.ca_file = "{path}"'
        ))
        for path in places
    )  # fmt: skip
    office.config()
    plans = [plan_of(config, office.ledger, "w") for config in (ours, moved, theirs, office.config())]
    assert plans[0].hash == plans[1].hash
    assert len({plan.hash for plan in plans}) == 3
    assert plans[0].earlier == frozenset(), "an earlier document did not name them"
    assert places[0].name not in plans[0].text.decode()
    places[0].unlink()
    assert plan_of(ours, office.ledger, "w").hash not in {plan.hash for plan in plans}


def test_another_proxy_is_another_plan(office: Office) -> None:
    recorded(office, "Anna", "Bernd")
    assert office.passes()
    proxy = '[network]\nproxy = "http://proxy.example:3128"\n'
    assert not office.passes(office.config(SYSTEMS + proxy))
    user = proxy + 'proxy_user = "kogge"\nproxy_password = { env = "X" }\n'
    plans = [plan_of(office.config(SYSTEMS + more), office.ledger, "w").hash for more in (proxy, user)]
    assert plans[0] == plans[1], "a new login at the same proxy leads nobody elsewhere"
    assert office.passes(office.config())


def order(path: Path, **more: object) -> ApprovalRequest:
    asked = {
        "wave": "w",
        "stage": START,
        "reason": "agreed",
        "by": None,
        "key": None,
        "passphrase": None,
        "print_to": None,
        "signed": None,
        "list_to": path,
        "accept_not_ready": False,
        "yes": True,
    }
    return ApprovalRequest(**{**asked, **more})  # type: ignore[arg-type]


@pytest.fixture
def listed(office: Office, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the list goes; the configuration names the ledger of the office."""
    monkeypatch.setattr("engine.planning.load_plan.renew", lambda *_: None)
    office.config(f'[ledger]\nurl = "sqlite:///{office.folder}/ledger.db"\n{SYSTEMS}')
    path = office.folder / "plan.json"
    path.write_text("as somebody left it")
    path.chmod(0o644)
    return path


def test_the_list_is_what_is_signed(office: Office, listed: Path) -> None:
    approve_plan(office.folder / "kogge.toml", order(listed))
    plan = plan_of(office.config(), office.ledger, "w")
    assert hashlib.sha256(listed.read_bytes()).hexdigest() == plan.hash
    assert stat.S_IMODE(listed.stat().st_mode) == 0o600
    told = json.loads(listed.read_text())
    assert told["version"] == VERSION
    assert [one["mailbox"] for one in told["mailboxes"]] == sorted(office.ids)
    assert {one["target"] for one in told["mailboxes"]} == {"a@new.example", "b@new.example"}
    assert sum("@new.example" in line for line in listed.read_text().splitlines()) == 2
    assert not listed.with_name("plan.json.diff").exists()


def test_the_diff_tells_what_changed_since_the_last_signature(
    office: Office, listed: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    plan = plan_of(office.config(), office.ledger, "w")
    key = office.folder / "anna.pem"
    from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

    pem = office.keys["Anna"].private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    key.write_bytes(pem)
    key.chmod(0o600)
    office.config(f'[ledger]\nurl = "sqlite:///{office.folder}/ledger.db"\n{SYSTEMS}')
    approve_plan(office.folder / "kogge.toml", order(listed, key=key))
    office.plan(at="elsewhere", names="b")
    office.check(number=0)
    office.config(f'[ledger]\nurl = "sqlite:///{office.folder}/ledger.db"\n{SYSTEMS}')
    approve_plan(office.folder / "kogge.toml", order(listed))
    different = listed.with_name("plan.json.diff")
    assert stat.S_IMODE(different.stat().st_mode) == 0o600
    changed = [line for line in different.read_text().splitlines()[2:] if line[:1] in "+-"]
    assert [line[:1] for line in changed] == ["-", "+"]
    assert "b@elsewhere.example" in changed[1]
    assert "b@new.example" in changed[0]
    assert plan.hash != plan_of(office.config(), office.ledger, "w").hash
    out = capsys.readouterr()
    assert "example" not in out.out + out.err.replace(str(office.folder), "")


def test_legs_of_all_waves_ask_at_the_same_time(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    """While one waits for the ledger, another gets its answer."""
    office.approve("Anna")
    office.approve("Bernd")
    config, asked, answered = office.config(), threading.Event(), threading.Event()
    real = plan_approval.events_since
    slow = threading.local()

    def waiting(*arguments: object) -> tuple[object, list[Event]]:
        if getattr(slow, "here", False):
            asked.set()
            assert answered.wait(60)
        return real(*arguments)  # type: ignore[arg-type]

    def first() -> None:
        slow.here = True
        refuse_unapproved(config, office.ledger, "w", START)

    monkeypatch.setattr(plan_approval, "events_since", waiting)
    thread = threading.Thread(target=first)
    thread.start()
    assert asked.wait(60)
    refuse_unapproved(config, office.ledger, "w", START)
    assert [one.void for one in approvals_of(config, office.ledger, "w")] == [None, None]
    answered.set()
    thread.join()
