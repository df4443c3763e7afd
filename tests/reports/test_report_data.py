"""A report's facts: every item has exactly one fate, and the numbers add up, by mailbox and for the wave."""

from __future__ import annotations

import json
from collections import Counter
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from report_world import BEGAN, PRIVATE, WAVE, World, forget_pulses, legs_of, world
from sqlalchemy import func, select, update

from connectors.caldav.settings import DavSettings
from engine.approvals.low_score_approval import record
from engine.approvals.score import Rating, scores
from engine.steps.beginning.invitation_policy import CHAIN, kinds_of
from ledger.db.audit_log import Event
from ledger.db.engine import writing
from ledger.db.rows import Outcome, Phase, State
from ledger.db.schema import container, event, item, leg, mailbox
from ledger.views.scores import absent_of
from model.kinds import Kind
from reports import read as report_reading
from reports.data import Coded, Fate, Lost, MailboxReport, Status, Total, WaveReport, arrived, awaited, totals
from reports.export import COLUMNS, document, rows
from reports.read import HIDDEN, _given_back, hidden, read


@pytest.fixture(scope="module")
def report(place: World) -> WaveReport:
    return read(place.ledger, WAVE, contact="the service desk")


def box(place: World, report: WaveReport, number: int) -> MailboxReport:
    return next(one for one in report.boxes if one.id == place.ids[number])


def test_the_fates_add_up_to_what_the_ledger_holds(place: World, report: WaveReport) -> None:
    query = select(mailbox.c.id, leg.c.workload, func.count())
    query = query.select_from(item.join(container).join(leg).join(mailbox)).where(mailbox.c.wave == WAVE)
    with place.ledger.engine.connect() as connection:
        held = connection.execute(query.group_by(mailbox.c.id, leg.c.workload)).all()
    known = {(number, Kind(kind)): count for number, kind, count in held}
    told = {(one.id, part.workload): sum(part.fates.values()) for one in report.boxes for part in one.parts}
    assert {key: count for key, count in told.items() if count} == known
    assert report.fates.total() == sum(known.values())
    assert sum((own for own in report.by_workload().values()), Counter()) == +report.fates


def test_each_fate_is_what_was_written(place: World, report: WaveReport) -> None:
    assert report.fates == {
        Fate.MIGRATED: 2354,
        Fate.TRANSFORMED: 40,
        Fate.SKIPPED: 7,
        Fate.FAILED: 7,
        Fate.WITHDRAWN: 12,
        Fate.TAKEN_BACK: 250,
        Fate.OPEN: 80,
    }
    own = box(place, report, 5)
    assert sorted((one.code, one.items) for one in own.failures) == [
        ("blocked-by-source", 1),
        ("not-a-file", 3),
        ("too-large", 2),
        ("unknown-time-zone", 1),
    ]
    assert sum(one.items for one in own.failures) == own.fates[Fate.FAILED]
    assert +box(place, report, 8).fates == {Fate.TAKEN_BACK: 250}


def test_what_is_not_to_arrive_is_not_awaited(place: World, report: WaveReport) -> None:
    skipped, withdrawn = box(place, report, 6), box(place, report, 9)
    assert (awaited(skipped.fates), arrived(skipped.fates)) == (243, 243)
    assert (awaited(withdrawn.fates), arrived(withdrawn.fates)) == (238, 238)
    assert awaited(report.fates) == report.fates.total() - 7 - 12


def test_where_each_mailbox_is(place: World, report: WaveReport) -> None:
    status = {number: box(place, report, number).status for number in place.ids}
    assert status == {
        **dict.fromkeys((0, 1, 2, 3, 4, 5, 6, 9), Status.MOVED),
        7: Status.PERSON,
        8: Status.TAKEN_BACK,
        10: Status.PERSON,
        11: Status.PLANNED,
    }
    assert [one.id for one in report.attention][2:] == [place.ids[5], place.ids[4]]
    assert {one.id for one in report.attention[:2]} == {place.ids[7], place.ids[10]}
    assert box(place, report, 7).codes == ["over-quota"]


def test_scores_are_those_of_verified_mailboxes(place: World, report: WaveReport) -> None:
    assert (report.score.rating, report.score.unscored) == (None, 4)
    scored = replace(report, boxes=tuple(one for one in report.boxes if one.score is not None))
    assert scored.score.rating is Rating.POOR
    assert dict(report.score.distribution) == {
        Rating.PERFECT: 6,
        Rating.GOOD: 0,
        Rating.INVESTIGATE: 1,
        Rating.POOR: 1,
    }
    assert {number for number in place.ids if box(place, report, number).score is None} == {7, 8, 10, 11}


def test_what_somebody_answered_for_needs_nobody(tmp_path: Path) -> None:
    place = world(f"sqlite:///{tmp_path}/ledger.db")
    with closing(place.ledger) as ledger:
        poor, lacking = place.ids[5], place.ids[4]

        def asked() -> set[str]:
            found = read(ledger, WAVE)
            assert {one.id for one in found.attention} == {one.id for one in found.boxes if one.attention}
            return {one.id for one in found.attention} & {poor, lacking}

        assert asked() == {poor, lacking}
        record(ledger, scores(ledger, [poor, lacking]), "C. Hansen", "looked at all of them")
        assert asked() == set()
        own = box(place, read(ledger, WAVE), 5)
        assert (own.accepted, own.missed, own.failing) == (True, 7, False)
        with writing(ledger.engine) as connection:
            mine = select(container.c.id).join(leg).where(leg.c.mailbox == poor)
            one = select(item.c.id).where(item.c.container.in_(mine), item.c.state == State.VERIFIED.value)
            again = update(item).where(item.c.id == one.limit(1).scalar_subquery())
            connection.execute(again.values(state=State.REJECTED.value, code="too-large"))
        assert asked() == {poor}, "one more than somebody answered for"


def test_who_is_in_staging_again_was_given_back(place: World) -> None:
    events = place.ledger.events(WAVE)
    first, second = (one for one in events if one.kind == "phase")

    def moved(phase: str) -> Event:
        return replace(first, detail={"phase": phase})

    assert _given_back(events) == set()
    assert _given_back([*events, moved("staging")]) == {first.subject}
    assert _given_back([*events, moved("staging"), moved("frozen")]) == set()
    assert _given_back([moved("staging"), second]) == set(), "it never left staging"


def test_a_live_mailbox_waits_for_nobody_s_look_at_its_score(place: World, report: WaveReport) -> None:
    lacking = box(place, report, 4)
    assert (lacking.low, lacking.attention) == (True, True)
    live = replace(lacking, phase=Phase.LIVE)
    assert (live.low, live.attention) == (False, False)
    failed = replace(box(place, report, 5), phase=Phase.LIVE)
    assert (failed.low, failed.attention) == (False, True), "what failed was answered for by nobody"


def test_a_report_is_of_one_moment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A run goes on while it is read: items fail and are skipped between two of its questions."""
    place = world(f"sqlite:///{tmp_path}/ledger.db")
    with closing(place.ledger) as ledger:
        before = read(ledger, WAVE)

        def meanwhile(*arguments: Any) -> Any:
            with writing(ledger.engine) as connection:
                verified = item.c.state == State.VERIFIED.value
                first = select(item.c.container, item.c.key).where(verified).limit(2)
                for number, (box_id, key) in enumerate(connection.execute(first).all()):
                    state, code = ((State.REJECTED, "too-large"), (State.SKIPPED, "no-body"))[number]
                    one = update(item).where(item.c.container == box_id, item.c.key == key)
                    connection.execute(one.values(state=state.value, code=code))
            return absent_of(*arguments)

        monkeypatch.setattr(report_reading, "absent_of", meanwhile)
        found = read(ledger, WAVE)
        assert (found.fates, found.boxes) == (before.fates, before.boxes)
        monkeypatch.undo()
        after = read(ledger, WAVE)
    for one in (before, found, after):
        failed = sum(coded.items for box_ in one.boxes for coded in box_.failures)
        assert failed == one.fates[Fate.FAILED]
    assert after.fates[Fate.FAILED] == before.fates[Fate.FAILED] + 1


def test_losses_of_items_and_of_folders_apart(place: World, report: WaveReport) -> None:
    lost = {(one.field, one.reason): one for one in box(place, report, 2).losses}
    assert lost["name", "flattened"] == Lost(Kind.MAIL, "name", "flattened", 1, folders=True)
    assert lost["body", "bare-lf"] == Lost(Kind.MAIL, "body", "bare-lf", 7)
    assert box(place, report, 2).fates[Fate.TRANSFORMED] == 15, "a folder is no item"
    whole = totals(one.losses for one in report.boxes)
    assert sum(one.items for one in whole if isinstance(one.one, Lost) and not one.one.folders) == 40
    assert [one.one.workload for one in whole] == sorted(
        (one.one.workload for one in whole), key=list(Kind).index
    )


def test_the_same_of_several_mailboxes_is_one(place: World, report: WaveReport) -> None:
    left = totals(one.omitted for one in report.boxes)
    found = {one.one.code: one for one in left if isinstance(one.one, Coded)}
    assert (found["search-folder"].items, found["search-folder"].mailboxes) == (38, 2)
    assert isinstance(found["hidden"], Total)
    assert "poison-item" not in {one.code for own in report.boxes for one in own.failures}, "another wave's"


def test_what_was_read_back_and_what_was_found(report: WaveReport) -> None:
    assert report.unread == 5
    assert report.findings[Outcome.MISSING] == 1
    assert report.findings[Outcome.DIFFERS] == 2
    assert report.levels == {"directory": 10, "asserted": 1, None: 1}


def test_decisions_are_grouped_and_hide_addresses(report: WaveReport) -> None:
    told = {(one.kind, one.about, one.by): one for one in report.chain.decisions}
    assert told["plan-approved", "start", "A. Petersen"].reason == "first wave"
    assert told["plan-approved", "start", "B. Iversen"].mailboxes == 0
    assert told["phase", "live", "C. Hansen"].mailboxes == 2
    assert told["phase", "live", "C. Hansen"].times == 2
    asserted = told["approved", "asserted", "C. Hansen"]
    assert asserted.reason == f"asked {HIDDEN} by telephone"
    assert report.chain.recorded == {"rolled-back": 1, "rollback-started": 1}
    assert report.chain.head is not None
    assert report.chain.events == 10


@pytest.mark.parametrize(
    "text",
    ["a@b", "asked anna@old.example", "<anna@old.example>", "mailto:anna@old.example,bert@x", "(a@b.c)"],
)
def test_no_address_is_told(text: str) -> None:
    assert "@" not in hidden(text)
    assert HIDDEN in hidden(text)


def test_the_course_of_the_wave(place: World, report: WaveReport) -> None:
    assert len(report.beats) == 60
    assert (report.beats[0].at, report.beats[0].seconds) == (BEGAN, 300)
    assert report.beats[-1].copied == report.beats[-1].done
    assert {kind: measured.items for kind, measured in report.rates.items()} == {
        kind: arrived(own) for kind, own in report.by_workload().items()
    }


def test_a_wave_without_a_pulse(tmp_path: Path) -> None:
    found = world(f"sqlite:///{tmp_path}/ledger.db")
    forget_pulses(found.ledger)
    assert read(found.ledger, WAVE).beats == ()
    found.ledger.close()


def test_the_newest_seal_counts_and_is_this_wave_s(tmp_path: Path, report: WaveReport) -> None:
    assert report.seal is None
    with closing(world(f"sqlite:///{tmp_path}/ledger.db", sealed=True).ledger) as ledger:
        seal = read(ledger, WAVE).seal
        assert seal is not None
        assert (seal.number, seal.root, seal.corrected) == (3, "03" * 32, 1)
        assert read(ledger, "other").seal is None


def test_a_chain_that_was_altered_is_told(tmp_path: Path) -> None:
    with closing(world(f"sqlite:///{tmp_path}/ledger.db").ledger) as ledger:
        with ledger.engine.begin() as connection:
            connection.execute(update(event).where(event.c.seq == 1).values(detail='{"by":"nobody"}'))
        chain = read(ledger, WAVE).chain
        assert chain.head is None
        assert chain.events == 10
        assert chain.decisions[0].by == "nobody", "what is there is shown"


def test_the_invitation_probe_of_these_targets_alone(place: World) -> None:
    """Version 0.1.0 recorded it under another name."""
    login = {"password": {"env": "NOWHERE"}, "profile": "radicale"}
    ours = DavSettings.model_validate({"kind": "caldav", "url": "https://dav.example", **login})
    assert read(place.ledger, WAVE, [ours]).invitation_probe is None, "another server's was silent"
    for kind, outcome in zip(kinds_of(ours), ("not-silent", "silent"), strict=True):
        place.ledger.event(CHAIN, kind, {"outcome": outcome, "watched": 120})
        invitation_probe = read(place.ledger, WAVE, [ours]).invitation_probe
        assert invitation_probe is not None
        assert invitation_probe.outcome == outcome


def test_the_document_is_plain_and_says_what_the_facts_say(place: World, report: WaveReport) -> None:
    found = json.loads(json.dumps(document(report)))
    assert found["items"] == sum(found["fates"].values()) == 2750
    assert found["mailboxes"][0]["id"] == report.boxes[0].id
    assert found["attention"] == [one.id for one in report.attention]
    assert found["at"].endswith("+00:00")
    assert found["chain"]["decisions"][0]["first"].endswith("+00:00")
    (large,) = [one for one in found["failures"] if one["code"] == "too-large"]
    assert large == {"workload": "mail", "code": "too-large", "items": 2, "mailboxes": 1}
    assert {one["class"] for one in found["losses"]} == {"content", "functional", "cosmetic"}
    assert not [word for word in PRIVATE if word in json.dumps(found, ensure_ascii=False)]


def test_a_row_for_each_mailbox(place: World, report: WaveReport) -> None:
    found = {row["mailbox"]: row for row in rows(report)}
    assert found.keys() == set(place.ids.values())
    assert all(tuple(row) == COLUMNS for row in found.values())
    poor = found[place.ids[5]]
    assert (poor["rating"], poor["items"], poor["arrived"], poor["share"]) == ("poor", 250, 243, "0.972000")
    assert poor["codes"] == "unknown-time-zone (1); blocked-by-source (1); not-a-file (3); too-large (2)"
    assert found[place.ids[11]]["rating"] == found[place.ids[11]]["share"] == ""
    assert found[place.ids[10]]["codes"] == "verification-differs"


def test_the_world_is_what_it_says(place: World) -> None:
    """A mistake in the fixture would prove nothing."""
    for number, mailbox_id in place.ids.items():
        wanted = Counter[State]()
        for one in legs_of(number, 1).values():
            for (state, _), count in one.counts.items():
                wanted[state] += count
        query = select(item.c.state, func.count()).select_from(item.join(container).join(leg))
        query = query.where(leg.c.mailbox == mailbox_id).group_by(item.c.state)
        with place.ledger.engine.connect() as connection:
            assert {State(state): count for state, count in connection.execute(query)} == wanted
