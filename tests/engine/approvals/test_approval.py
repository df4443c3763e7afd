"""A wave is written only when enough different people signed its plan as it is."""

from __future__ import annotations

import json
from base64 import b64encode
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest
from configurations import imap_sides
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from sqlalchemy import text, update

from engine.approvals import plan_approval
from engine.approvals.plan_approval import (
    CUTOVER,
    START,
    Statement,
    approvals_of,
    detail_of,
    new_statement,
    permission,
    plan_of,
    refuse_unapproved,
    suspended,
)
from engine.config.load import Config, load
from ledger.db.engine import writing
from ledger.db.rows import LegState, Phase
from ledger.db.schema import event
from ledger.plan.approvals import Check, keep_checks, record
from ledger.plan.mailboxes import PlannedMailbox
from ledger.plan.waves import WaveRow, Waves
from ledger.store import Ledger
from model.errors import Blocked, Corrupt, Misconfigured
from model.kinds import Kind
from model.signing_keys import is_signed, line_of

NAMES = ("Anna", "Bernd", "Carla")
SYSTEMS = imap_sides("old.example", "new.example")


@dataclass
class Office:
    """A ledger with a checked wave of two mailboxes, and three approvers of whom two are needed."""

    folder: Path
    ledger: Ledger
    ids: list[str] = field(default_factory=list)
    keys: dict[str, Ed25519PrivateKey] = field(default_factory=dict)

    def config(self, systems: str = SYSTEMS, required: int = 2, without: str = "") -> Config:
        keys = "".join(f'{name} = "{line_of(key)}"\n' for name, key in self.keys.items() if name != without)
        path = self.folder / "kogge.toml"
        path.write_text(f"[approval]\nrequired = {required}\n[approval.approvers]\n{keys}{systems}")
        return load(path)

    def plan(self, **changes: str) -> None:
        rows = [
            PlannedMailbox(
                f"{name}@old.example",
                f"{name}@{changes.get('at', 'new')}.example",
                changes.get("wave", "w"),
                Phase.STAGING,
                frozenset({Kind.MAIL}),
            )
            for name in changes.get("names", "a b").split()
        ]
        self.ids = [str(one) for one in self.ledger.add_mailboxes(rows)]

    def check(self, level: str | None = "directory", code: str | None = None, number: int = 0) -> None:
        keep_checks(self.ledger, [Check(self.ids[number], level, code, 10, 1000)])

    def statement(self, name: str, stage: str = START, wave: str = "w") -> Statement:
        return new_statement(wave, stage, plan_of(self.config(), self.ledger, wave), name, "agreed")

    def approve(self, name: str, stage: str = START, wave: str = "w") -> None:
        self.put(self.statement(name, stage, wave), name)

    def put(self, statement: Statement, signer: str, wave: str = "", stage: str = "") -> None:
        """Records it with that person's signature, whatever it says; wave, stage: somewhere else."""
        signature = self.keys[signer].sign(statement.to_sign())
        where = (wave or statement.wave, stage or statement.stage)
        record(self.ledger, *where, detail_of(statement), signature)

    def refusal(self, stage: str = START, config: Config | None = None) -> str:
        with pytest.raises(Blocked) as caught:
            refuse_unapproved(config or self.config(), self.ledger, "w", stage)
        assert caught.value.code == "not-approved"
        return str(caught.value)

    def voids(self, config: Config | None = None) -> list[str | None]:
        return [one.void for one in approvals_of(config or self.config(), self.ledger, "w", START)]

    def passes(self, config: Config | None = None) -> bool:
        try:
            refuse_unapproved(config or self.config(), self.ledger, "w", START)
        except Blocked:
            return False
        return True


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


def approved(office: Office) -> None:
    office.approve("Anna")
    office.approve("Bernd")
    assert office.passes()


def test_a_cutover_of_what_is_not_moved_yet_names_the_migration_first(office: Office) -> None:
    told = office.refusal(CUTOVER)
    assert "Next: kogge migrate --wave w" in told
    assert (
        '(in Prefect: "start w"), as not all of it is verified; then: kogge approve --wave w --stage' in told
    )
    for leg in office.ledger.legs("w"):
        lease = office.ledger.claim(leg.id, "worker", 60)
        assert lease is not None
        office.ledger.release(lease, LegState.VERIFIED)
    told = office.refusal(CUTOVER)
    assert "kogge migrate" not in told
    assert "Next: kogge approve --wave w --stage cutover" in told


def test_two_different_approvers_are_needed(office: Office) -> None:
    assert "has 0 of 2 approvals" in office.refusal()
    office.approve("Anna")
    assert "has 1 of 2 approvals" in office.refusal()
    office.approve("Anna")
    assert "has 1 of 2 approvals" in office.refusal()
    assert office.voids() == [None, "given-twice"]
    office.approve("Carla")
    assert office.passes()


def test_each_stage_and_each_wave_needs_its_own(office: Office) -> None:
    approved(office)
    assert "the cutover of wave w has 0 of 2" in office.refusal(CUTOVER)
    with pytest.raises(Blocked, match="not-approved"):
        refuse_unapproved(office.config(), office.ledger, "another", START)


def test_what_a_run_changes_voids_nothing(office: Office) -> None:
    approved(office)
    before = plan_of(office.config(), office.ledger, "w").hash
    office.ledger.set_phase(office.ids[0], Phase.FROZEN, "somebody")
    (leg,) = office.ledger.legs(mailbox=office.ids[0])
    lease = office.ledger.claim(leg.id, "worker", 60)
    assert lease is not None
    office.ledger.release(lease, LegState.VERIFIED)
    keep_checks(office.ledger, [Check(office.ids[0], "directory", None, 999, 10**9)])
    office.plan()
    assert plan_of(office.config(), office.ledger, "w").hash == before
    assert office.passes()


def test_pace_and_other_places_of_files_void_nothing(office: Office) -> None:
    approved(office)
    slower = SYSTEMS.replace('host = "old.example"', 'host = "old.example"\nbatch_items = 7\nconnections = 1')
    assert office.passes(office.config(slower))


@pytest.mark.parametrize(
    "systems",
    [
        SYSTEMS.replace("new.example", "evil.example"),
        SYSTEMS.replace("old.example", "other.example"),
        SYSTEMS.replace('username = "x"', 'username = "y"', 1),
        SYSTEMS + '[gate]\ncontrol = "c@old.example"\n',
        SYSTEMS + '[gate]\ndeny = "deny.txt"\n',
        SYSTEMS + "[run]\ncanary = false\n",
        SYSTEMS + SYSTEMS.partition("[target.mail]")[2].join(["[target.notes]", ""]),
    ],
)
def test_other_systems_are_another_plan(office: Office, systems: str) -> None:
    (office.folder / "deny.txt").write_text("nobody@old.example\n")
    approved(office)
    assert "it changed since" in office.refusal(config=office.config(systems))
    assert office.voids(office.config(systems)) == ["plan-changed"] * 2


def test_another_secret_is_the_same_plan(office: Office) -> None:
    approved(office)
    assert office.passes(office.config(SYSTEMS.replace('"X"', '"Y"')))


@pytest.mark.parametrize("change", ["target", "more", "level", "code", "date", "window", "first", "fewer"])
def test_a_changed_plan_voids_what_was_signed(office: Office, change: str) -> None:
    approved(office)
    waves = Waves(office.ledger)
    changes = {
        "target": lambda: office.plan(at="elsewhere"),
        "more": lambda: office.plan(names="a b c"),
        "level": lambda: office.check("address"),
        "code": lambda: office.check(code="quota-too-small"),
        "date": lambda: waves.put([WaveRow("w", starts=1_800_000_000.0)]),
        "window": lambda: waves.put([WaveRow("w", window="nights")]),
        "first": lambda: waves.put([WaveRow("w", canary=office.ids[1])]),
        "fewer": lambda: office.ledger.add_mailboxes([], whole=True),
    }
    changes[change]()
    told = office.refusal()
    assert "has 0 of 2 approvals" in told
    assert "the newest other, of 20" in told
    assert not any(name in told for name in NAMES), "it may be shown in Prefect"


def test_a_replanned_mailbox_must_be_checked_again(office: Office) -> None:
    office.plan(at="elsewhere")
    assert len(plan_of(office.config(), office.ledger, "w").unchecked) == 2


def test_a_paused_wave_stays_approved(office: Office) -> None:
    approved(office)
    Waves(office.ledger).put([WaveRow("w")])
    with writing(office.ledger.engine) as connection:
        connection.execute(text("UPDATE wave SET paused = true"))
    assert Waves(office.ledger).read("w").paused
    assert office.passes()


def test_a_forged_signature_does_not_count(office: Office) -> None:
    office.approve("Anna")
    office.put(office.statement("Bernd"), signer="Carla")
    assert office.voids() == [None, "signature-invalid"]
    office.refusal()


@pytest.mark.parametrize("other", ["wave", "stage"])
def test_a_signature_for_something_else_does_not_count(office: Office, other: str) -> None:
    office.approve("Anna")
    statement = office.statement("Bernd")
    statement = replace(statement, stage=CUTOVER) if other == "stage" else replace(statement, wave="another")
    office.put(statement, "Bernd", wave="w", stage=START)
    assert office.voids() == [None, "signature-invalid"]


def test_a_signature_over_the_same_words_for_another_purpose_does_not_count(office: Office) -> None:
    statement = office.statement("Anna")
    naked = statement.to_sign().removeprefix(plan_approval.DOMAIN)
    record(office.ledger, "w", START, detail_of(statement), office.keys["Anna"].sign(naked))
    assert office.voids() == ["signature-invalid"]


def test_an_old_approval_cannot_be_played_again_over_a_changed_plan(office: Office) -> None:
    old = office.statement("Bernd")
    office.approve("Anna")
    office.plan(at="elsewhere")
    office.check()
    office.check(number=1)
    office.put(old, "Bernd")
    changed = replace(old, plan=plan_of(office.config(), office.ledger, "w").hash)
    signature = office.keys["Bernd"].sign(old.to_sign())
    record(office.ledger, "w", START, detail_of(changed), signature)
    assert office.voids() == ["plan-changed", "plan-changed", "signature-invalid"]


def test_who_is_no_approver_any_more_has_approved_nothing(office: Office) -> None:
    approved(office)
    config = office.config(without="Bernd")
    assert office.voids(config) == [None, "approver-unknown"]
    office.refusal(config=config)


def test_a_new_key_of_the_same_name_does_not_inherit(office: Office) -> None:
    approved(office)
    office.keys["Bernd"] = Ed25519PrivateKey.generate()
    assert office.voids() == [None, "signature-invalid"]


@pytest.mark.parametrize(
    ("lines", "told"),
    [
        ('Anna = "{0}"\n"Anna B." = "{0}"', "the same key"),
        ('Anna = "{0}"\nanna = "{1}"', "capitals or blanks alone"),
        ('Anna = "ed25519:short"', "kogge keys new"),
        ('"" = "{0}"', "a name"),
    ],
)
def test_one_person_cannot_be_two_approvers(office: Office, lines: str, told: str) -> None:
    keys = [line_of(key) for key in office.keys.values()]
    path = office.folder / "kogge.toml"
    path.write_text("[approval.approvers]\n" + lines.format(*keys) + "\n" + SYSTEMS)
    with pytest.raises(Misconfigured, match=told):
        load(path)


@pytest.mark.parametrize("column", ["detail", "kind", "hash"])
def test_an_edited_event_stops_everything(office: Office, column: str) -> None:
    approved(office)
    with writing(office.ledger.engine) as connection:
        value = {"detail": "{}", "kind": "plan-approved:cutover", "hash": b"x" * 32}[column]
        connection.execute(update(event).where(event.c.seq == 1).values({column: value}))
    plan_approval._waves.clear()  # another process, or a later one
    with pytest.raises(Corrupt, match="event-chain-broken"):
        office.passes()


def test_a_cut_chain_stops_everything(office: Office) -> None:
    approved(office)
    with writing(office.ledger.engine) as connection:
        connection.execute(text("DELETE FROM event WHERE seq = 2"))
    plan_approval._waves.clear()
    with pytest.raises(Corrupt, match="event-chain-broken"):
        office.passes()


def test_an_edited_account_is_seen_by_a_process_that_knows_the_plan_already(office: Office) -> None:
    approved(office)
    permit = permission(office.config(), office.ledger, office.ledger.mailbox(office.ids[0]))
    permit(None)
    with writing(office.ledger.engine) as connection:
        connection.execute(text("UPDATE mailbox SET target = 'evil@new.example' WHERE source LIKE 'a@%'"))
    with pytest.raises(Blocked, match="not-approved"):
        permit(None)


def test_a_weaker_proof_than_was_approved_blocks(office: Office) -> None:
    approved(office)
    permit = permission(office.config(), office.ledger, office.ledger.mailbox(office.ids[0]))
    permit(None)
    permit("directory")
    for weaker in ("address", "asserted"):
        with pytest.raises(Blocked) as caught:
            permit(weaker)
        assert caught.value.code == "proof-weaker-than-approved"


def test_what_was_not_ready_stays_out_of_an_approval(office: Office) -> None:
    office.check(None, "login-refused")
    approved(office)
    out, in_ = (office.ledger.mailbox(one) for one in office.ids)
    permission(office.config(), office.ledger, in_)("directory")
    with pytest.raises(Blocked, match="was not ready"):
        permission(office.config(), office.ledger, out)("directory")


def test_what_a_person_took_responsibility_for_is_ready_and_is_another_plan(office: Office) -> None:
    office.check("asserted", "identity-not-proven")
    plan = plan_of(office.config(), office.ledger, "w")
    assert [row.mailbox for row in plan.left_out] == [office.ids[0]]
    approved(office)
    office.ledger.approve(office.ids[0], "asserted", "A. Auditor", "seen both")
    office.refusal()
    office.approve("Anna")
    office.approve("Bernd")
    assert office.passes()
    permission(office.config(), office.ledger, office.ledger.mailbox(office.ids[0]))("asserted")


def test_a_fault_that_passes_leaves_what_was_found_before(office: Office) -> None:
    approved(office)
    keep_checks(office.ledger, [Check(office.ids[0], None, "timeout", 0, 0, passing=True)])
    found = plan_of(office.config(), office.ledger, "w").rows[office.ids[0]]
    assert (found.level, found.code, found.items) == ("directory", None, 10)
    assert office.passes()


def test_without_approvers_the_two_ways_out_are_told(office: Office) -> None:
    office.keys = {"Anna": office.keys["Anna"]}
    with pytest.raises(Misconfigured) as caught:
        office.passes()
    assert "kogge keys new" in caught.value.advice
    assert "required = 0" in caught.value.advice
    assert office.passes(office.config(required=0))
    assert not office.passes(office.config(required=1))
    plan = plan_of(office.config(required=1), office.ledger, "w")
    office.put(new_statement("w", START, plan, "Anna", "agreed"), "Anna")
    assert office.passes(office.config(required=1))


def test_an_approval_is_in_the_chain_and_holds_nothing_of_a_person(office: Office) -> None:
    approved(office)
    office.ledger.verify_events()
    told = json.dumps([dict(one.detail) for one in office.ledger.events("w")])
    assert "@" not in told


def test_asking_again_reads_only_what_is_new(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    approved(office)
    monkeypatch.setattr(plan_approval, "plan_of", None)
    for number in range(3):
        office.ledger.event("w", "retried", {"legs": number})
        assert office.passes()


def test_a_plan_that_comes_back_is_signed_anew(office: Office) -> None:
    """Nobody who signed it has seen what was between, and why it was taken back."""
    approved(office)
    office.plan(at="other")
    office.check()
    office.check(number=1)
    assert not office.passes()
    office.plan()
    office.check()
    office.check(number=1)
    assert office.voids() == ["plan-changed", "plan-changed"]
    assert "has 0 of 2 approvals" in office.refusal()
    ended = [event for event in office.ledger.events("w") if event.kind == "plan-voided"]
    assert len(ended) == 1, "it is recorded once"
    office.approve("Anna")
    office.approve("Bernd")
    assert office.passes()
    assert office.voids() == ["plan-changed", "plan-changed", None, None]


NOBODYS = [b"\1" + bytes(31), bytes(32), b"\xec" + 30 * b"\xff" + b"\x7f", b"\xee" + 30 * b"\xff" + b"\x7f"]
"""Public keys for which anybody can sign: points of small order on the curve of Ed25519."""


@pytest.mark.parametrize("key", NOBODYS)
def test_nobody_is_an_approver_for_whom_everybody_can_sign(office: Office, key: bytes) -> None:
    office.approve("Anna")
    signature = b"\1" + bytes(63)  # fits every statement, or some of a few
    assert not any(is_signed(key, signature, f"statement {number}".encode()) for number in range(16))
    config = office.config()
    line = f"ed25519:{b64encode(key).decode()}"
    config.path.write_text(config.path.read_text().replace(line_of(office.keys["Bernd"]), line))
    with pytest.raises(Misconfigured, match="everybody can sign for this key"):
        load(config.path)


@pytest.mark.parametrize("stage", [START, CUTOVER])
def test_a_signature_that_has_ended_is_not_played_again_when_the_plan_comes_back(
    office: Office, stage: str
) -> None:
    """Whoever keeps the files that `kogge approve --print` wrote, signed, can take them in twice."""
    kept = [(name, office.statement(name, stage)) for name in NAMES[:2]]
    for name, statement in kept:
        office.put(statement, name)
    refuse_unapproved(office.config(), office.ledger, "w", stage)
    for at in ("other", "new"):
        office.plan(at=at)
        office.check()
        office.check(number=1)
        office.refusal(stage)
    for name, statement in kept:
        office.put(statement, name)
    assert "has 0 of 2 approvals" in office.refusal(stage)
    anew = Ledger(f"sqlite:///{office.folder}/ledger.db")  # as a process that has seen nothing of it
    with pytest.raises(Blocked):
        refuse_unapproved(office.config(), anew, "w", stage)
    anew.close()
    for name in NAMES[:2]:
        office.approve(name, stage)
    refuse_unapproved(office.config(), office.ledger, "w", stage)


def recorded(office: Office, *names: str) -> None:
    """As `kogge approve` does, which keeps the document that was signed."""
    for name in names:
        statement = office.statement(name)
        text = plan_of(office.config(), office.ledger, "w").text.decode()
        signature = office.keys[name].sign(statement.to_sign())
        record(office.ledger, "w", START, detail_of(statement), signature, text)


def test_a_check_that_finds_otherwise_for_a_while_ends_nothing(office: Office) -> None:
    """A certificate expired for a night: nobody decided anything, and nothing was written."""
    recorded(office, "Anna", "Bernd")
    assert office.passes()
    office.check(level=None, code="tls-failed")
    told = office.refusal()
    assert "only by what a check found" in told
    assert [one.statement.approver for one in suspended(office.config(), office.ledger, "w")] == [
        "Anna",
        "Bernd",
    ]
    for config in (office.config(), office.config(SYSTEMS.replace("new.example", "elsewhere.example"))):
        office.refusal(config=config)
    office.check()
    assert office.passes()
    assert suspended(office.config(), office.ledger, "w") == []
    assert [event for event in office.ledger.events("w") if event.kind == "plan-voided"] == []


def test_what_others_approved_and_ran_meanwhile_ends_what_was_signed_before(office: Office) -> None:
    """The plan goes from A to B and back to A, and of B something was written."""
    recorded(office, "Anna", "Bernd")
    assert office.passes()
    office.check(level="address")
    recorded(office, "Bernd", "Carla")
    assert office.passes(), "a run of B begins here"
    office.check()
    assert office.voids()[:2] == ["plan-changed", "plan-changed"]
    assert not office.passes()
    recorded(office, "Anna", "Bernd")
    assert office.passes()


@pytest.mark.parametrize("again", ["check", "list"])
def test_another_list_beside_another_check_ends_what_was_signed(office: Office, again: str) -> None:
    recorded(office, "Anna", "Bernd")
    assert office.passes()
    office.plan(at="other")
    if again == "check":
        office.check(code="tls-failed")
    office.refusal()
    office.plan()
    office.check()
    office.check(number=1)
    assert not office.passes()


def test_what_was_signed_before_another_plan_was_ends_with_that_one(office: Office) -> None:
    """One signature too few of the first plan, then two of the second, then the first plan again."""
    office.approve("Anna")
    office.plan(at="other")
    office.check()
    office.check(number=1)
    approved(office)
    office.plan()
    office.check()
    office.check(number=1)
    office.approve("Bernd")
    assert not office.passes()
    assert office.voids()[0] == "plan-changed"


def test_who_looks_by_another_configuration_ends_nothing(office: Office) -> None:
    approved(office)
    other = office.config(SYSTEMS.replace("new.example", "elsewhere.example"))
    assert office.voids(other) != [None, None]
    assert office.passes()
