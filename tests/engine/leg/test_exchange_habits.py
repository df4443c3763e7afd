"""A leg from an Exchange that behaves otherwise than Exchange: nothing is lost, and no difference is named
that is none."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import replace
from datetime import date, datetime
from pathlib import Path

import pytest
from imapclient import IMAPClient
from servers.faulty.exchange import FaultyExchange
from servers.faulty.plan import FaultPlan, invalid_sync_state, poison_item
from servers.faulty.plan import Kind as Fate
from services import need_dovecot
from test_dates_servers import Office

from engine.assembly import build_leg
from engine.config.load import load
from engine.config.template import write_new
from engine.leg.leg_result import LegResult
from engine.leg.run_options import RunOptions
from engine.verify.occurrences import UNCHECKED
from kogge.prepare.practice_servers import staged
from ledger.db.readers import counts_of
from ledger.db.rows import LegState, Phase, State
from model.kinds import Kind
from practice.calendar.appointments import Event
from practice.calendar.event_desk import timed
from practice.exchange.habits import Habits
from practice.mail.letters import Attachment
from practice.mail.letters_record import dress
from practice.world import diary
from practice.world.desk import Desk
from practice.world.diary import delete_occurrence, event_of, modify_occurrence
from practice.world.messages import Message
from practice.world.records import Common
from practice.world.world import World

pytestmark = pytest.mark.dovecot
Open = Callable[..., Office]
VERIFIED = (LegState.VERIFIED, None)


@pytest.fixture
def office(tmp_path: Path) -> Iterator[Open]:
    need_dovecot()
    with ExitStack() as stack:

        def make(habits: Habits, faults: FaultPlan | None = None) -> Office:
            world = World(seed=11, people=1, items=3, pim=12, nasty=False)
            server = FaultyExchange(world, habits=habits, faults=faults)
            stage = stack.enter_context(staged(server, 1))
            write_new(tmp_path, stage.files(required=0))
            return Office(stage, world, load(tmp_path / "kogge.toml"))

        yield make


def run(office: Office, kind: Kind, *, level: str = "both", verify_only: bool = False) -> LegResult:
    (leg,) = office.ledger.legs(mailbox=office.id, workload=kind)
    return build_leg(office.config, leg.id, options=RunOptions(level=level, verify_only=verify_only)).run()


def outcome(result: LegResult) -> tuple[LegState, str | None]:
    return result.state, result.code


def uids_of(office: Office, folder: str) -> list[int]:
    stage = office.stage
    with IMAPClient(stage.imap_host, port=stage.imap_port, ssl=False) as client:
        client.login(f"{office.box.address}*{stage.master}", stage.master_password)
        client.select_folder(folder, readonly=True)
        return sorted(client.search())


def series(office: Office) -> Message:
    """A series of more than two days."""
    for item in office.box.distinguished("calendar").items:
        if isinstance(item.record, Event) and item.record.recurrence and len(days(item)) > 2:
            return item
    raise AssertionError("no series")


def days(item: Message) -> list[date]:
    event = event_of(item)
    return [day for day, _ in zip(event.days(), range(5), strict=False)]


@pytest.mark.parametrize(
    "habits",
    [Habits(views="masters"), Habits(views="singles"), Habits(corrupt_beyond=True)],
    ids=["masters", "singles", "corrupt"],
)
def test_a_calendar_that_is_not_expanded_is_no_difference_and_is_named(office: Open, habits: Habits) -> None:
    one = office(habits)
    assert series(one).id
    assert outcome(run(one, Kind.CALENDAR)) == VERIFIED
    assert UNCHECKED in [event.kind for event in one.ledger.events(one.ledger.mailboxes()[0].wave)]


def test_a_calendar_that_is_expanded_is_checked(office: Open) -> None:
    one = office(Habits())
    assert outcome(run(one, Kind.CALENDAR)) == VERIFIED
    assert UNCHECKED not in [event.kind for event in one.ledger.events(one.ledger.mailboxes()[0].wave)]


def test_a_changed_occurrence_that_its_series_does_not_tell_is_found_and_mended(office: Open) -> None:
    one = office(Habits(keys_stay=True))
    assert outcome(run(one, Kind.CALENDAR)) == VERIFIED
    item = series(one)
    _, second, third = days(item)[:3]
    modify_occurrence(one.box, item, second, lambda event: replace(event, location="Saal 2"))
    delete_occurrence(one.box, item, third)
    for change in ("Saal 3", "Saal 4"):
        passed = run(one, Kind.CALENDAR, level="target")
        assert (outcome(passed), passed.tally.replaced) == (VERIFIED, 1)
        assert outcome(run(one, Kind.CALENDAR, verify_only=True)) == VERIFIED
        unchanged = run(one, Kind.CALENDAR, level="target")
        assert (outcome(unchanged), unchanged.tally.replaced) == (VERIFIED, 0)
        modify_occurrence(one.box, item, second, lambda event, place=change: replace(event, location=place))


def test_a_change_of_which_nothing_tells_is_found_in_the_frozen_pass(
    office: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A text alone, in a day that was changed before, whose date of change stays."""
    one = office(Habits(keys_stay=True))
    item = series(one)
    day = days(item)[1]
    modify_occurrence(one.box, item, day, lambda event: replace(event, location="Saal 2"))
    assert outcome(run(one, Kind.CALENDAR)) == VERIFIED
    monkeypatch.setattr(diary, "_stamped", lambda _box, event: event)
    worded = lambda event: replace(event, base=replace(event.base, body="Anders", html=False))  # noqa: E731
    modify_occurrence(one.box, item, day, worded)
    assert run(one, Kind.CALENDAR, level="target").tally.replaced == 0
    one.ledger.set_phase(one.id, Phase.FROZEN, "somebody")
    passed = run(one, Kind.CALENDAR, level="target")
    assert (outcome(passed), passed.tally.replaced) == (VERIFIED, 1)
    assert outcome(run(one, Kind.CALENDAR, verify_only=True)) == VERIFIED


def test_a_change_during_which_the_server_lost_the_cursor_is_found(office: Open) -> None:
    plan = FaultPlan()
    one = office(Habits(keys_stay=True), plan)
    item = series(one)
    assert outcome(run(one, Kind.CALENDAR)) == VERIFIED
    modify_occurrence(one.box, item, days(item)[1], lambda event: replace(event, location="Saal 2"))
    for nth in range(1, 20):
        plan.script("SyncFolderItems", nth, invalid_sync_state())
    passed = run(one, Kind.CALENDAR, level="target")
    assert plan.struck[Fate.INVALID_SYNC_STATE]
    assert (outcome(passed), passed.tally.replaced) == (VERIFIED, 1)
    plan.heal()
    unchanged = run(one, Kind.CALENDAR, level="target")
    assert (outcome(unchanged), unchanged.tally.replaced) == (VERIFIED, 0)


def test_a_changed_occurrence_is_left_alone_in_a_live_mailbox(office: Open) -> None:
    one = office(Habits(keys_stay=True))
    item = series(one)
    assert outcome(run(one, Kind.CALENDAR)) == VERIFIED
    one.ledger.set_phase(one.id, Phase.FROZEN, "somebody")
    one.ledger.set_phase(one.id, Phase.LIVE, "somebody")
    modify_occurrence(one.box, item, days(item)[1], lambda event: replace(event, location="Saal 2"))
    for _ in range(2):
        passed = run(one, Kind.CALENDAR, level="target")
        assert (outcome(passed), passed.tally.replaced, passed.tally.new) == (VERIFIED, 0, 0)


def test_a_category_that_renders_a_mail_anew_changes_its_flags_alone(office: Open) -> None:
    one = office(Habits(rerenders=True))
    inbox = one.box.distinguished("inbox")
    assert outcome(run(one, Kind.MAIL)) == VERIFIED
    item = next(each for each in inbox.items if each.mime() != each.mime(1))
    one.box.categorize(item, "Rot")
    uids = uids_of(one, "INBOX")
    result = run(one, Kind.MAIL)
    assert outcome(result) == VERIFIED
    assert (result.tally.amended, result.tally.new, result.tally.replaced) == (1, 0, 0)
    assert uids_of(one, "INBOX") == uids
    assert outcome(run(one, Kind.MAIL, verify_only=True)) == VERIFIED


@pytest.mark.parametrize("kind", [Kind.MAIL, Kind.CALENDAR])
def test_replies_without_items_lose_nothing(office: Open, kind: Kind) -> None:
    faults = FaultPlan(seed=2, rates={Fate.EMPTY_ITEM: 0.4, Fate.LEFT_OUT: 0.4})
    one = office(Habits(), faults)
    result = run(one, kind)
    assert outcome(result) == VERIFIED
    assert {Fate.EMPTY_ITEM, Fate.LEFT_OUT} <= set(faults.struck)
    assert rejected(one, result.leg) == 0


@pytest.mark.parametrize("kind", [Kind.MAIL, Kind.CALENDAR])
def test_an_item_at_which_the_server_failed_for_a_while_arrives(office: Open, kind: Kind) -> None:
    plan = FaultPlan()
    one = office(Habits(), plan)
    item = next(iter(one.box.distinguished("inbox" if kind is Kind.MAIL else "calendar").items))
    plan.afflict(poison_item(item.id))
    result = run(one, kind)
    assert outcome(result) == VERIFIED
    assert rejected(one, result.leg) == 1
    plan.heal()
    passed = run(one, kind)
    assert (outcome(passed), passed.tally.new) == (VERIFIED, 1)
    assert rejected(one, result.leg) == 0


def test_an_attachment_that_was_not_given_arrives_once_it_is(office: Open) -> None:
    one = office(Habits())
    plan = Attachment("plan.bin", "application/octet-stream", b"Plan", unreadable=True)
    event = timed(Desk(4, 0, "x"), "Mit Plan", datetime(2026, 1, 5, 9), base=Common(attachments=(plan,)))
    item = one.box.put(one.box.distinguished("calendar"), event)
    result = run(one, Kind.CALENDAR)
    assert outcome(result) == VERIFIED
    assert run(one, Kind.CALENDAR, level="target").tally.replaced == 0
    given = replace(event, base=replace(event.base, attachments=(replace(plan, unreadable=False),)))
    dress(item, given, one.box.owner)  # under the change key that it had
    passed = run(one, Kind.CALENDAR, level="target")
    assert (outcome(passed), passed.tally.replaced) == (VERIFIED, 1)
    assert run(one, Kind.CALENDAR).tally.replaced == 0


def rejected(office: Office, leg: int) -> int:
    with office.ledger.engine.connect() as connection:
        return counts_of(connection, leg, None).get(State.REJECTED, 0)
