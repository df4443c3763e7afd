"""Late mail of a live mailbox, part of which its new system was delivered as well."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from memory.doubles import MemorySource, MemoryStore, MemoryTarget
from memory.store import EPOCH
from walking import Died, Trial, a_mailbox, dying_at, letter

from engine.context.delivered import ALIKE_MOST
from engine.steps.listing.late_mail import DELIVERED, DIFFERS
from ledger.db.rows import LegState, Phase, State
from model.errors import Blocked, Rejected
from model.protocols import Failed, Native, Role, key_of

INBOX = ("INBOX",)
NO_FLAGS: frozenset[str] = frozenset()


@pytest.fixture
def trial(quick_path: Path) -> Trial:
    trial = Trial(quick_path, a_mailbox(5), MemoryStore())
    assert trial.run().state is LegState.VERIFIED
    trial.ledger.set_phase(trial.id, Phase.LIVE, "somebody")
    return trial


NOON = "Mon, 1 Feb 2027 10:00:00 +0100"
NAMELESS = ("", "Message-ID:\r\n", "Message-ID: <>\r\n", "X-Message-ID: <late-1@x.example>\r\n")


def mail(number: int, *, received: str, date: str = NOON, name: str = "") -> bytes:
    """One mail as a system of that name received it."""
    text = (
        f"Received: from out.example by {received}\r\nReturn-Path: <a@x.example>\r\n"
        f"From: a@x.example\r\nTo: anna@old.example\r\nDate: {date}\r\nSubject: late {number}\r\n"
        f"{name}\r\ntext {number}\r\n"
    )
    return text.encode()


def named(number: int, received: str, **more: str) -> bytes:
    return mail(number, received=received, name=f"Message-ID: <late-{number}@x.example>\r\n", **more)


def folder(trial: Trial, path: tuple[str, ...] = ("Posteingang",)) -> str:
    return next(one.id for one in trial.mailbox.folders.values() if one.path == path)


def added(trial: Trial) -> int:
    """How many mails a run adds; it must be verified after it."""
    before = trial.store.snapshot()
    result = trial.run()
    assert result.state is LegState.VERIFIED
    after = trial.store.snapshot()
    assert not before - after
    return (after - before).total()


def skips(trial: Trial) -> int:
    (summary,) = trial.ledger.summary()
    return summary.skips.get(DELIVERED, 0)


@pytest.mark.parametrize("path", [INBOX, ("Projekte",), ("Trash",)])
def test_what_was_delivered_to_both_is_not_written(trial: Trial, path: tuple[str, ...]) -> None:
    """Wherever its user moved it."""
    trial.store.create(path)
    trial.store.append(path, named(1, "new"), NO_FLAGS, None)
    trial.mailbox.deliver(folder(trial), named(1, "old"))
    trial.mailbox.deliver(folder(trial), named(2, "old"))
    assert added(trial) == 1
    assert skips(trial) == 1
    assert added(trial) == 0
    assert trial.states()[State.SEEN] == 0


def test_the_same_id_at_another_moment_is_another_mail(trial: Trial) -> None:
    """A scanner that gives every mail the same id."""
    trial.store.append(INBOX, named(1, "new"), NO_FLAGS, None)
    trial.mailbox.deliver(folder(trial), named(1, "old", date="Mon, 1 Feb 2027 10:00:01 +0100"))
    assert added(trial) == 1


def test_the_same_moment_in_another_zone_is_the_same_mail(trial: Trial) -> None:
    trial.store.append(INBOX, named(1, "new"), NO_FLAGS, None)
    trial.mailbox.deliver(folder(trial), named(1, "old", date="Mon, 1 Feb 2027 09:00:00 GMT"))
    assert added(trial) == 0


@pytest.mark.parametrize(
    "field",
    [
        "Message-ID:\r\n <late-1@x.example>\r\n",
        "MESSAGE-ID : <late-1@x.example> \r\n",
        "Message-Id: <late-1\r\n\t@x.example>\r\n",
        "Message-ID: <late-1@x.example>\r\nMessage-ID: <another@x.example>\r\n",
    ],
)
def test_ids_however_they_are_written(trial: Trial, field: str) -> None:
    trial.store.append(INBOX, named(1, "new"), NO_FLAGS, None)
    trial.mailbox.deliver(folder(trial), mail(1, received="old", name=field))
    assert added(trial) == 0


@pytest.mark.parametrize("field", NAMELESS)
def test_without_an_id_the_content_decides(trial: Trial, field: str) -> None:
    trial.store.append(INBOX, mail(1, received="new", name=field), NO_FLAGS, None)
    trial.store.append(INBOX, mail(2, received="new", name=field), NO_FLAGS, None)
    trial.mailbox.deliver(folder(trial), mail(1, received="old", name=field))
    trial.mailbox.deliver(folder(trial), mail(3, received="old", name=field))
    assert added(trial) == 1
    assert skips(trial) == 1


def test_an_empty_id_is_none(trial: Trial) -> None:
    """Else every mail with an empty one would be the same."""
    trial.store.append(INBOX, mail(1, received="new", name="Message-ID: <>\r\n"), NO_FLAGS, None)
    trial.mailbox.deliver(folder(trial), mail(2, received="old", name="Message-ID: <>\r\n"))
    assert added(trial) == 1


def test_copies_of_our_own_say_nothing(trial: Trial) -> None:
    """Two identical mails are two mails: one of them was migrated, the other comes late."""
    trial.mailbox.deliver(folder(trial), letter(77))
    assert added(trial) == 1


def test_who_sends_to_themselves_has_it_twice(trial: Trial) -> None:
    sent = trial.mailbox.create_folder(("Gesendet",), Role.SENT)
    trial.store.append(INBOX, named(1, "new"), NO_FLAGS, None)
    trial.mailbox.deliver(folder(trial), named(1, "old"))
    trial.mailbox.deliver(sent, named(1, "old"))
    assert added(trial) == 1
    assert skips(trial) == 1


def test_a_mail_to_oneself_in_the_targets_sent_items_is_none_of_the_inbox(trial: Trial) -> None:
    """Its user wrote from the new system, and the copy for the inbox went to the old one."""
    trial.store.create(("Sent",), Role.SENT)
    trial.store.append(("Sent",), named(1, "new"), NO_FLAGS, None)
    trial.mailbox.deliver(folder(trial), named(1, "old"))
    assert (added(trial), skips(trial)) == (1, 0)


def test_one_that_was_delivered_stands_for_one(trial: Trial) -> None:
    """The same mail, to a person and by a list: nobody knows which it is."""
    trial.store.append(INBOX, named(1, "new"), NO_FLAGS, None)
    trial.mailbox.deliver(folder(trial), named(1, "old"))
    trial.mailbox.deliver(folder(trial), named(1, "list"))
    assert (added(trial), skips(trial)) == (2, 0)


def test_a_mail_to_which_a_list_added_words_is_another_mail(trial: Trial) -> None:
    trial.store.append(INBOX, named(1, "new"), NO_FLAGS, None)
    trial.mailbox.deliver(folder(trial), named(1, "old"))
    trial.mailbox.deliver(folder(trial), named(1, "list") + b"-- \r\nthe list's own words\r\n")
    assert (added(trial), skips(trial)) == (1, 1)


def test_as_many_as_were_delivered_are_left_out(trial: Trial) -> None:
    for name in ("new", "list"):
        trial.store.append(INBOX, named(1, name), NO_FLAGS, None)
        trial.mailbox.deliver(folder(trial), named(1, f"old-{name}"))
    assert (added(trial), skips(trial)) == (0, 2)


@pytest.mark.parametrize("field", ["", "Date:\r\n"])
def test_without_a_date_the_content_decides(trial: Trial, field: str) -> None:
    """A scanner that gives every mail the same id, and leaves the date to others."""

    def undated(number: int, received: str) -> bytes:
        name = "Message-ID: <scan@x.example>\r\n"
        return mail(number, received=received, name=name).replace(
            f"Date: {NOON}\r\n".encode(), field.encode()
        )

    trial.store.append(INBOX, undated(1, "new"), NO_FLAGS, None)
    trial.mailbox.deliver(folder(trial), undated(1, "old"))
    trial.mailbox.deliver(folder(trial), undated(2, "old"))
    assert (added(trial), skips(trial)) == (1, 1)


def test_in_staging_nobody_is_asked(quick_path: Path) -> None:
    """The target is ours: what somebody put there is no reason to leave a mail out."""
    trial = Trial(quick_path, a_mailbox(5), MemoryStore())
    assert trial.run().state is LegState.VERIFIED
    trial.store.append(INBOX, named(1, "new"), NO_FLAGS, None)
    trial.mailbox.deliver(folder(trial), named(1, "old"))
    steps: list[str] = []
    trial.run(steps.append)
    assert "target.headers" not in steps
    assert skips(trial) == 0


def test_nothing_late_costs_no_listing_of_headers(trial: Trial) -> None:
    steps: list[str] = []
    trial.run(steps.append)
    assert "target.headers" not in steps
    trial.mailbox.deliver(folder(trial), named(1, "old"))
    trial.run(steps.append)
    assert steps.count("target.headers") == len(trial.store.folders), "once a folder"


@pytest.mark.parametrize("code", ["mailbox-missing", "mailbox-not-online", "account-disabled"])
def test_a_decommissioned_source_ends_calm_and_removes_nothing(
    trial: Trial, code: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = trial.store.snapshot()

    def gone(_source: MemorySource) -> object:
        raise Blocked(code, "no such account")

    monkeypatch.setattr(MemorySource, "identity", gone)
    result = trial.run()
    assert (result.state, result.code) == (LegState.VERIFIED, "source-gone")
    assert trial.store.snapshot() == before


def test_a_source_that_is_gone_with_something_still_owed_needs_a_person(
    trial: Trial, monkeypatch: pytest.MonkeyPatch
) -> None:
    trial.mailbox.deliver(folder(trial), named(1, "old"))

    def die(step: str) -> None:
        if step == "target.headers":
            raise Blocked("over-quota", "stops the run after listing")

    assert trial.run(die).code == "over-quota"
    trial.ledger.requeue()

    def gone(_source: MemorySource) -> object:
        raise Blocked("mailbox-missing", "no such account")

    monkeypatch.setattr(MemorySource, "identity", gone)
    result = trial.run()
    assert (result.state, result.code) == (LegState.BLOCKED, "mailbox-missing")


def test_a_phase_that_changed_before_the_claim_ends_the_run(
    trial: Trial, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Both sides were opened for the phase before: nothing may be overwritten by its rules."""
    trial.mailbox.deliver(folder(trial), named(1, "old"))
    before = trial.store.snapshot()
    row = trial.ledger.mailbox(trial.id)
    earlier = [replace(row, phase=Phase.FROZEN)]  # as it was when the run was prepared
    monkeypatch.setattr(trial.ledger, "mailbox", lambda _number: earlier.pop() if earlier else row)
    result = trial.run()
    assert (result.state, result.code) == (LegState.PENDING, "phase-changed")
    assert trial.store.snapshot() == before


@pytest.mark.parametrize("name", ["", "Message-ID: <late-1@x.example>\r\n"])
@pytest.mark.parametrize("again", [False, True])
def test_a_mail_whose_write_was_cut_off_and_that_its_user_moved_is_not_written_again(
    trial: Trial, name: str, *, again: bool
) -> None:
    """Also without what tells it by its headers, and if the next worker dies before it gets there."""
    trial.mailbox.deliver(folder(trial), mail(1, received="old", name=name))
    trial.store.create(("Mine",))
    with pytest.raises(Died):
        trial.run(dying_at("target.write done"))
    trial.store.move(INBOX, max(trial.store.folders[INBOX].messages), ("Mine",))
    if again:
        with pytest.raises(Died):
            trial.run(dying_at("target.headers"))
    assert added(trial) == 0
    assert skips(trial) == 1
    assert added(trial) == 0


def test_a_mail_whose_write_was_cut_off_stands_for_no_other_copy(trial: Trial) -> None:
    """The same mail came to the source twice."""
    trial.mailbox.deliver(folder(trial), named(1, "old"))
    trial.store.create(("Mine",))
    with pytest.raises(Died):
        trial.run(dying_at("target.write done"))
    trial.store.move(INBOX, max(trial.store.folders[INBOX].messages), ("Mine",))
    trial.mailbox.deliver(folder(trial), named(1, "list"))
    assert added(trial) == 1


def test_a_write_that_was_cut_off_and_never_arrived_is_repeated(trial: Trial) -> None:
    """Its user has the same text, of another day, in a folder of their own."""
    trial.mailbox.deliver(folder(trial), mail(1, received="old", date=""))
    trial.store.create(("Mine",))
    trial.store.append(("Mine",), mail(1, received="old", date=""), NO_FLAGS, EPOCH)
    with pytest.raises(Died):
        trial.run(dying_at("target.write"))
    assert added(trial) == 1


def forged(number: int, received: str = "evil") -> bytes:
    """A mail of somebody who knows the genuine one's Message-ID and Date, and says something else."""
    return named(number, received).replace(b"\r\n\r\ntext", b"\r\n\r\nother text")


def contents(trial: Trial) -> list[bytes]:
    """The texts of all late mails at the target."""
    messages = (one for folder in trial.store.folders.values() for one in folder.messages.values())
    return sorted(one.raw.partition(b"\r\n\r\n")[2] for one in messages if b"late-1@" in one.raw)


GENUINE, FORGED = b"text 1\r\n", b"other text 1\r\n"


@pytest.mark.parametrize("path", [INBOX, ("Projekte",), ("Trash",)])
@pytest.mark.parametrize("copies", [1, 2, ALIKE_MOST + 1])
def test_a_forged_mail_keeps_no_genuine_one_out(trial: Trial, path: tuple[str, ...], copies: int) -> None:
    trial.store.create(path)
    for _ in range(copies):
        trial.store.append(path, forged(1), NO_FLAGS, None)
    trial.mailbox.deliver(folder(trial), named(1, "old"))
    assert (added(trial), skips(trial)) == (1, 0)
    assert contents(trial) == [FORGED] * copies + [GENUINE]
    assert [event.detail for event in trial.ledger.events("w") if event.kind == DIFFERS] == [{"count": 1}]
    assert added(trial) == 0


@pytest.mark.parametrize("first", [True, False])
def test_beside_a_forged_mail_the_genuine_one_is_recognised(trial: Trial, *, first: bool) -> None:
    """Whichever was delivered first."""
    for data in (forged(1), named(1, "new")) if first else (named(1, "new"), forged(1)):
        trial.store.append(INBOX, data, NO_FLAGS, None)
    trial.mailbox.deliver(folder(trial), named(1, "old"))
    assert (added(trial), skips(trial)) == (0, 1)


def test_a_mail_that_was_forged_at_the_source_does_not_keep_the_genuine_one_out(trial: Trial) -> None:
    """Both come late, and the new system was delivered one of them."""
    trial.store.append(INBOX, forged(1), NO_FLAGS, None)
    for data in (forged(1, "old"), named(1, "old")):
        trial.mailbox.deliver(folder(trial), data)
    assert (added(trial), skips(trial)) == (1, 1)
    assert contents(trial) == [FORGED, GENUINE]


def test_a_mail_that_is_forged_after_the_genuine_one_was_written_changes_nothing(trial: Trial) -> None:
    trial.mailbox.deliver(folder(trial), named(1, "old"))
    assert added(trial) == 1
    trial.store.append(INBOX, forged(1), NO_FLAGS, None)
    trial.mailbox.deliver(folder(trial), named(2, "old"))
    assert added(trial) == 1
    assert contents(trial) == [FORGED, GENUINE]


@pytest.mark.parametrize("role", [Role.SENT, Role.DRAFTS])
def test_a_forged_mail_in_sent_items_keeps_no_genuine_one_out(trial: Trial, role: Role) -> None:
    sent = trial.mailbox.create_folder(("Gesendet",), role)
    trial.store.create(("Sent",), role)
    trial.store.append(("Sent",), forged(1), NO_FLAGS, None)
    trial.mailbox.deliver(sent, named(1, "old"))
    assert (added(trial), skips(trial)) == (1, 0)


@pytest.mark.parametrize("phase", [Phase.STAGING, Phase.FROZEN])
@pytest.mark.parametrize("written", [True, False])
def test_before_the_live_phase_a_forged_mail_keeps_no_genuine_one_out(
    quick_path: Path, phase: Phase, *, written: bool
) -> None:
    """It lies there before the genuine one is copied, or afterwards."""
    trial = Trial(quick_path, a_mailbox(5), MemoryStore())
    assert trial.run().state is LegState.VERIFIED
    if phase is not Phase.STAGING:
        trial.ledger.set_phase(trial.id, phase, "somebody")
    if written:
        trial.mailbox.deliver(folder(trial), named(1, "old"))
        trial.run()
    for _ in range(2):
        trial.store.append(INBOX, forged(1), NO_FLAGS, None)
    if not written:
        trial.mailbox.deliver(folder(trial), named(1, "old"))
    for _ in range(3):
        trial.run()
        assert contents(trial) == [FORGED, FORGED, GENUINE]


def test_a_mail_that_vanishes_before_it_was_compared_keeps_no_late_one_out(
    trial: Trial, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its user deletes it after the headers were listed."""
    trial.store.append(INBOX, named(1, "new"), NO_FLAGS, None)
    trial.mailbox.deliver(folder(trial), named(1, "old"))
    read, compared = MemoryTarget.read, [str(max(trial.store.folders[INBOX].messages))]

    def gone(self: MemoryTarget, href: str, hrefs: Iterable[str]) -> Iterator[tuple[str, Native | Failed]]:
        wanted = list(hrefs)
        if [item.rpartition(":")[2] for item in wanted] != compared:
            yield from read(self, href, wanted)
            return
        compared.clear()
        yield wanted[0], Failed(key_of(wanted[0]), Rejected("vanished"))

    monkeypatch.setattr(MemoryTarget, "read", gone)
    assert (added(trial), skips(trial), compared) == (1, 0, [])
