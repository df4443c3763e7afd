"""A mailbox whose evidence is damaged: named, and no reason not to seal the others."""

from __future__ import annotations

import pytest
from commands import run
from sealing import WAVE, Office, contents, office, settled, stated
from test_seal_checked import INCOMPLETE, verdict

from ledger.db.rows import Phase
from ledger.plan.mailboxes import PlannedMailbox
from ledger.store import Ledger
from ledger.views.seal_chain import Seals
from model.errors import Corrupt, Misconfigured
from model.kinds import Kind

__all__ = ["office", "settled"]
SEAL = ("audit", "seal", "--wave", WAVE, "--key", "operator.pem", "--out", "evidence")
MINE = "WHERE leg IN (SELECT id FROM leg WHERE mailbox = :id)"
DAMAGE = {
    "a line altered": f"UPDATE listed SET body = CAST(zeroblob(16) || substr(body, 17) AS BLOB) {MINE}",
    "cut off": f"UPDATE listed SET body = CAST(substr(body, 2) AS BLOB) {MINE}",
    "a root altered": f"UPDATE inventory SET root = zeroblob(32) {MINE}",
    "no pass": f"UPDATE item SET inventory = NULL WHERE container IN (SELECT id FROM container {MINE})",
    "its key": "UPDATE evidence_key SET wrapped = zeroblob(40) WHERE mailbox = :id",
}


def damage(ledger: Ledger, mailbox: str, how: str = "a line altered") -> None:
    with ledger.engine.begin() as connection:
        done = connection.exec_driver_sql(DAMAGE[how].replace(":id", f"'{mailbox}'"))
        assert done.rowcount


@pytest.mark.parametrize("how", DAMAGE)
def test_it_is_named_and_the_others_are_sealed_without_it(office: Office, how: str) -> None:
    ledger = office.ledger()
    bad, good = (row.id for row in ledger.mailboxes(WAVE))
    damage(ledger, bad, how)
    with pytest.raises(Corrupt, match="evidence-damaged") as caught:
        office.seal(ledger)
    assert bad in str(caught.value)
    assert good not in str(caught.value)
    assert Seals(ledger).all() == []
    made = office.seal(ledger, incomplete=True)
    said = stated(made.pack)
    sections = {leg.workload.value for leg in ledger.legs(mailbox=bad)}
    assert {(one["mailbox"], one["section"], one["state"]) for one in said["incomplete"]} == {
        (bad, section, "verified") for section in sections
    }
    assert {one["code"] for one in said["incomplete"]} <= {"evidence-damaged", "inventory-broken"}
    assert said["mailboxes"] == 1
    assert not [name for name in contents(made.pack) if bad in name]
    assert Seals(ledger).all()[0].complete is False
    assert verdict(office, made.pack) == INCOMPLETE
    ledger.close()


def test_one_whose_key_was_taken_away_is_not_left_out_in_silence(office: Office) -> None:
    ledger = office.ledger()
    bad, _ = (row.id for row in ledger.mailboxes(WAVE))
    with ledger.engine.begin() as connection:
        assert connection.exec_driver_sql(f"DELETE FROM evidence_key WHERE mailbox = '{bad}'").rowcount == 1
    assert [one.mailbox for one in Seals(ledger).loose(WAVE)] == [bad], "so the command refuses"
    said = stated(office.seal(ledger, incomplete=True).pack)
    assert {(one["mailbox"], one["code"]) for one in said["incomplete"]} == {(bad, "evidence-damaged")}
    assert said["mailboxes"] == 1
    ledger.close()


def test_all_that_are_damaged_are_told_at_once_and_nothing_is_left(office: Office) -> None:
    ledger = office.ledger()
    both = [row.id for row in ledger.mailboxes(WAVE)]
    for mailbox in both:
        damage(ledger, mailbox)
    for incomplete in (False, True):
        with pytest.raises(Corrupt) as caught:
            office.seal(ledger, incomplete=incomplete)
        assert all(mailbox in str(caught.value) for mailbox in both)
    assert not office.out.exists()
    ledger.close()


def test_it_is_told_without_a_traceback(
    office: Office, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(office.place)
    ledger = office.ledger()
    bad = ledger.mailboxes(WAVE)[0].id
    damage(ledger, bad)
    assert run(*SEAL) == 1
    shown = " ".join(capsys.readouterr().err.split())
    assert f"not sealed: what was recorded of {bad} was altered; --incomplete leaves it out" in shown
    assert "Traceback" not in shown
    assert run(*SEAL, "--incomplete") == 1, "what was altered is told, whatever is sealed"
    assert run("audit", "show", f"evidence/wave-{WAVE}") == 0
    assert "verified (evidence-damaged)" in capsys.readouterr().out
    ledger.close()


def test_who_is_refused_before_anything_is_written_leaves_nothing(office: Office) -> None:
    (office.place / "evidence.key").unlink()
    with pytest.raises(Misconfigured, match=r"evidence.key"):
        office.seal()
    assert not office.out.exists()
    (office.place / "evidence.key").write_text("A" * 42 + "E=\n")
    (office.place / "evidence.key").chmod(0o600)
    with pytest.raises(Misconfigured, match="is not the one that this ledger's evidence was begun with"):
        office.seal()
    assert not office.out.exists()


def test_what_was_there_beside_it_stays(office: Office) -> None:
    ledger = office.ledger()
    for row in ledger.mailboxes(WAVE):
        damage(ledger, row.id)
    office.out.mkdir()
    (office.out / "wave-other").mkdir()
    with pytest.raises(Corrupt):
        office.seal(ledger)
    assert [path.name for path in office.out.iterdir()] == ["wave-other"]
    ledger.close()


def test_a_mailbox_without_a_workload_stands_in_the_statement(office: Office) -> None:
    ledger = office.ledger()
    row = PlannedMailbox("carla@old.example", "carla@new.example", WAVE, Phase.STAGING, frozenset[Kind]())
    (bare,) = ledger.add_mailboxes([row])
    made = office.seal(ledger, incomplete=True)
    said = stated(made.pack)
    assert said["incomplete"] == [{"mailbox": bare, "section": None, "state": None, "code": "no-inventory"}]
    assert (said["score"]["not_verified"], said["score"]["rating"]) == (1, None)
    assert sum(said["score"]["distribution"].values()) == 2
    assert verdict(office, made.pack) == INCOMPLETE
    ledger.close()


def test_a_wave_that_is_whole_has_a_rating(office: Office) -> None:
    said = stated(office.seal().pack)
    assert said["score"]["not_verified"] == 0
    assert said["score"]["rating"] is not None
