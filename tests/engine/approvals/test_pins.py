"""A ledger is held to the approvals, approvers and deny list that its first wave started with."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest
import typer
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from test_approval import NAMES, SYSTEMS, Office

from engine.approvals.pinned_settings import asked_by, events_of, pin_at_start, refuse_weaker
from engine.approvals.plan_approval import CUTOVER, START, permission, refuse_unapproved
from engine.config.load import Config, load
from flows import rollback as rollback_flow
from kogge.approve.approve_settings import approve_settings
from kogge.run import rollback as command_rollback
from ledger.plan.pinned_settings import AGREED, PINNED, read_pin
from ledger.store import Ledger
from model.errors import Misconfigured

DENY = "judge@court.example\n@council.example\n"


class Place(Office):
    """Its configuration names its ledger and a deny list."""

    def write(self, required: int = 2, without: str = "", deny: str = DENY, newcomer: str = "") -> Config:
        (self.folder / "deny.txt").write_text(deny)
        if newcomer:
            self.keys.setdefault(newcomer, Ed25519PrivateKey.generate())
        ledger = f'[ledger]\nurl = "sqlite:///{self.folder}/ledger.db"\n'
        gate = '[gate]\ndeny = "deny.txt"\n' if deny else ""
        return self.config(f"{ledger}{gate}{SYSTEMS}", required, without)

    def refused(self, config: Config) -> str:
        with pytest.raises(Misconfigured) as caught:
            refuse_weaker(config, self.ledger)
        return str(caught.value)

    def key(self, name: str) -> Path:
        path = self.folder / f"{name}.pem"
        pem = self.keys[name].private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        path.write_bytes(pem)
        path.chmod(0o600)
        return path

    def agree(self, **options: object) -> int | None:
        """The command's exit code; None where there was nothing to agree to."""
        asked = {"reason": "agreed", "yes": True, **options}
        try:
            approve_settings(config=self.folder / "kogge.toml", **asked)  # type: ignore[arg-type]
        except typer.Exit as ended:
            return ended.exit_code
        return None

    def kinds(self) -> list[str]:
        return [event.kind for event in events_of(self.ledger)]


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    ledger = Ledger(f"sqlite:///{tmp_path}/ledger.db")
    ledger.migrate()
    found = Place(tmp_path, ledger, keys={name: Ed25519PrivateKey.generate() for name in NAMES})
    found.plan()
    found.check()
    found.check(number=1)
    yield found
    ledger.close()


@pytest.fixture
def pinned(place: Place) -> Place:
    pin_at_start(place.write(), place.ledger, "w")
    return place


def test_before_a_first_start_nothing_is_held(place: Place) -> None:
    refuse_weaker(place.write(required=0), place.ledger)
    assert place.agree() is None
    assert read_pin(place.ledger) is None


def test_a_start_pins_once(pinned: Place) -> None:
    pin_at_start(pinned.write(), pinned.ledger, "v")
    assert pinned.kinds() == [PINNED]
    assert dict(events_of(pinned.ledger)[0].detail) == {
        "required": 2,
        "approvers": 3,
        "denied": 2,
        "wave": "w",
    }
    pinned.ledger.verify_events()


def test_another_configuration_on_the_same_ledger_is_refused(pinned: Place) -> None:
    """At the start of a wave, by each of its legs, and before a cutover."""
    other = pinned.write(required=0)
    for stage in (START, CUTOVER):
        with pytest.raises(Misconfigured, match="takes 0 approvals, not 2"):
            refuse_unapproved(other, pinned.ledger, "w", stage)
    permit = permission(other, pinned.ledger, pinned.ledger.mailbox(pinned.ids[0]))
    with pytest.raises(Misconfigured, match="takes 0 approvals, not 2"):
        permit(None)
    with pytest.raises(Misconfigured):
        pin_at_start(other, pinned.ledger, "w")
    assert pinned.kinds() == [PINNED]


def test_nothing_is_taken_back_by_another_configuration(pinned: Place) -> None:
    runner = SimpleNamespace(config=pinned.write(required=0), ledger=pinned.ledger)
    with pytest.raises(Misconfigured, match="takes 0 approvals, not 2"):
        rollback_flow._legs(runner, SimpleNamespace(wave="w", mailboxes=[]))  # type: ignore[arg-type]
    asked = SimpleNamespace(rows=[], duties=[], execute=True)
    with pytest.raises(Misconfigured, match="takes 0 approvals, not 2"):
        command_rollback.run_rollback(runner.config, runner.ledger, asked)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"required": 1}, "takes 1 approval, not 2"),
        ({"newcomer": "Mallory"}, "keys that nobody agreed to: 1"),
        ({"newcomer": "Mallory", "without": "Carla"}, "keys that nobody agreed to: 1"),
        ({"deny": "judge@court.example\n"}, "the deny list lacks: 1"),
        ({"deny": ""}, "the deny list lacks: 2"),
    ],
)
def test_what_asks_for_less_is_refused(pinned: Place, options: dict[str, str], told: str) -> None:
    refused = pinned.refused(pinned.write(**options))  # type: ignore[arg-type]
    assert told in refused
    assert "kogge approve-settings" in refused
    assert "court.example" not in refused


def test_a_key_under_another_s_name_is_refused(pinned: Place) -> None:
    """Who has it would sign as the other one."""
    pinned.keys["Anna"], pinned.keys["Bernd"] = pinned.keys["Bernd"], pinned.keys["Anna"]
    assert "keys under another name: 2" in pinned.refused(pinned.write())


@pytest.mark.parametrize(
    "options",
    [
        {"required": 3},
        {"without": "Carla"},
        {"deny": DENY + "ceo@old.example\n"},
        {"deny": "# all of them\n@COUNCIL.example\nJudge@Court.example\n"},
    ],
)
def test_what_asks_for_no_less_holds_and_is_pinned_by_the_next_start(
    pinned: Place, options: dict[str, str]
) -> None:
    config = pinned.write(**options)  # type: ignore[arg-type]
    refuse_weaker(config, pinned.ledger)
    pin_at_start(config, pinned.ledger, "v")
    again = pinned.write(**options)  # type: ignore[arg-type]
    refuse_weaker(again, pinned.ledger)
    assert read_pin(pinned.ledger) == asked_by(again)


def named(config: Config, name: str) -> Config:
    """The same, in a file of another name."""
    return load(config.path.rename(config.path.with_name(name)))


def test_two_configurations_of_a_ledger_have_to_name_the_same_approvers(place: Place) -> None:
    """The start of the one that names fewer must not take away what the other one names, again and again."""
    first = named(place.write(), "bund.toml")
    pin_at_start(first, place.ledger, "w")
    second = named(place.write(without="Carla"), "land.toml")
    for check in (refuse_weaker, lambda *given: pin_at_start(*given, "v")):
        with pytest.raises(Misconfigured) as caught:
            check(second, place.ledger)
        for told in ("land.toml", "bund.toml", "approvers that it lacks: 1", "have to name the same"):
            assert told in str(caught.value)
    pin_at_start(first, place.ledger, "v")
    assert place.kinds() == [PINNED]
    with pytest.raises(Misconfigured, match=r"0 approvals, not 2.*bund\.toml"):
        refuse_weaker(named(place.write(required=0), "land.toml"), place.ledger)
    pin_at_start(named(place.write(), "land.toml"), place.ledger, "v")  # both name the same


def test_approvers_agree_that_another_configuration_names_fewer(place: Place) -> None:
    pin_at_start(named(place.write(), "bund.toml"), place.ledger, "w")
    fewer = place.write(without="Carla")
    assert place.agree(key=place.key("Anna")) == 1
    assert place.agree(key=place.key("Carla")) == 0
    pin_at_start(fewer, place.ledger, "v")
    assert place.kinds() == [PINNED, AGREED, AGREED, PINNED]


def test_who_was_taken_out_does_not_come_back_unseen(pinned: Place) -> None:
    pin_at_start(pinned.write(without="Carla"), pinned.ledger, "v")
    assert "nobody agreed to: 1" in pinned.refused(pinned.write())


def test_pinned_approvers_agree_to_a_new_one(pinned: Place, capsys: pytest.CaptureFixture[str]) -> None:
    config = pinned.write(newcomer="Dora", without="Carla")
    assert pinned.agree() == 1
    assert "0 of 2 approvers agreed" in capsys.readouterr().err
    assert pinned.agree(key=pinned.key("Anna")) == 1
    assert pinned.agree(key=pinned.key("Anna")) == 1
    assert "counts once" in capsys.readouterr().err
    pinned.refused(config)
    with pytest.raises(Misconfigured, match="none of the keys that are pinned"):
        pinned.agree(key=pinned.key("Dora"))
    assert pinned.agree(key=pinned.key("Bernd")) == 0
    refuse_weaker(config, pinned.ledger)
    assert pinned.kinds() == [PINNED, AGREED, AGREED, PINNED]
    assert events_of(pinned.ledger)[-1].detail["by"] == "Anna, Bernd"
    held = read_pin(pinned.ledger)
    assert held is not None
    assert set(held.keys.values()) == {"Anna", "Bernd", "Dora"}
    out = capsys.readouterr()
    assert "court.example" not in out.out + out.err


def test_what_was_agreed_to_is_over_when_it_was_done(pinned: Place) -> None:
    """There and back, and there again: it takes new signatures."""
    pinned.write(required=1)
    assert [pinned.agree(key=pinned.key(name)) for name in NAMES[:2]] == [1, 0]
    pin_at_start(pinned.write(), pinned.ledger, "v")
    pinned.refused(pinned.write(required=1))
    assert pinned.agree() == 1


def test_an_agreement_that_was_used_is_not_played_again(pinned: Place, tmp_path: Path) -> None:
    """The files that approvers signed are still there when the same change is made once more."""
    pinned.write(required=1)
    paths = [tmp_path / f"{name}.txt" for name in NAMES[:2]]
    for path, code in zip(paths, (1, 0), strict=True):
        assert pinned.agree(by=path.stem, print_to=path) == 1
        path.with_name(f"{path.name}.sig").write_bytes(pinned.keys[path.stem].sign(path.read_bytes()))
        assert pinned.agree(signed=path) == code
    pin_at_start(pinned.write(), pinned.ledger, "v")
    less = pinned.write(required=1)
    assert [pinned.agree(signed=path) for path in paths] == [1, 1]
    pinned.refused(less)
    assert [pinned.agree(key=pinned.key(name)) for name in NAMES[:2]] == [1, 0]


def test_a_signature_for_another_change_does_not_count(pinned: Place) -> None:
    pinned.write(required=1)
    assert pinned.agree(key=pinned.key("Anna")) == 1
    pinned.write(required=0)
    assert pinned.agree(key=pinned.key("Bernd")) == 1
    assert read_pin(pinned.ledger) is not None
    assert pinned.kinds() == [PINNED, AGREED, AGREED]


def test_one_signs_elsewhere(pinned: Place, tmp_path: Path) -> None:
    pinned.write(required=1)
    for name, code in (("Anna", 1), ("Bernd", 0)):
        path = tmp_path / f"{name}.txt"
        assert pinned.agree(by=name, print_to=path) == 1
        path.with_name(f"{name}.txt.sig").write_bytes(pinned.keys["Carla"].sign(path.read_bytes()))
        with pytest.raises(Misconfigured, match="pinned key of whom it names"):
            pinned.agree(signed=path)
        path.with_name(f"{name}.txt.sig").write_bytes(pinned.keys[name].sign(path.read_bytes()))
        assert pinned.agree(signed=path) == code


def test_where_no_approval_is_required_one_person_decides(place: Place) -> None:
    pin_at_start(place.write(required=0), place.ledger, "w")
    less = place.write(required=0, deny="@council.example\n")
    assert "the deny list lacks: 1" in place.refused(less)
    assert place.agree() == 1
    with pytest.raises(Misconfigured, match="reason"):
        place.agree(by="A. Auditor", reason=" ")
    assert place.agree(by="A. Auditor", reason="the judge retired") == 0
    refuse_weaker(less, place.ledger)
    newest = events_of(place.ledger)[-1]
    assert (newest.kind, newest.detail["by"], newest.detail["reason"]) == (
        PINNED,
        "A. Auditor",
        "the judge retired",
    )


def test_one_person_decides_nothing_where_two_are_required(pinned: Place) -> None:
    pinned.write(required=0)
    assert pinned.agree(by="Mallory") == 1
    assert pinned.kinds() == [PINNED]
