"""What is shared at the source is shared at the target, no more and no less; and nobody's name is told."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from servers.webdav import WebDavServer
from share_office import BERND, CARLA, LATER, Office, opened
from walking import Died
from whole_tables import every_row

from connectors.files import shares as files_shares
from connectors.graph.source import GraphSource
from engine.leg.run import Task
from engine.planning.deny_list import DenyList
from engine.planning.mailbox_list import Directory
from engine.verify.compare import Level
from ledger.db.rows import LegState, Outcome, Phase
from ledger.leg.shares import ShareLedger
from ledger.plan.mailboxes import PlannedMailbox
from model.kinds import Kind
from model.optional_protocols import Grant, Sharing
from model.protocols import Container
from practice.drive.drive_shares import Grantee, Party, Permission, Scope, group, guest, link, user
from practice.nextcloud.shares import GROUP, LINK, USER


@pytest.fixture
def office(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Office]:
    with opened(tmp_path, monkeypatch) as made:
        yield made


def test_people_groups_and_links(office: Office) -> None:
    _, two, three, _ = office.people
    office.drive.share(office.plain, user(two), user(three, write=True))
    office.drive.share(office.box, group("Team West"), user(two, write=True))
    office.drive.share(office.inner, link(Scope.ANONYMOUS, expires=LATER))
    assert office.verified({"team west": "team"}) == [
        ("Amt", USER, BERND, 15, ""),
        ("Amt", GROUP, "team", 1, ""),
        ("Amt/Vermerk.txt", LINK, "", 17, LATER.date().isoformat()),
        ("Plan.txt", USER, BERND, 1, ""),
        ("Plan.txt", USER, CARLA, 3, ""),
    ]
    assert office.shares.mails == 0
    assert office.losses() == []


def test_a_pass_tells_how_many_shares_it_made(office: Office) -> None:
    office.drive.share(office.plain, user(office.people[1]), guest("gast@firma.example"))
    office.drive.share(office.box, user(office.people[2]))
    assert [office.run().tally.shared for _ in range(2)] == [2, 0]
    office.drive.share(office.plain, user(office.people[1]), user(office.people[2]))
    assert office.run().tally.shared == 1


def test_in_staging_nothing_is_shared_but_what_cannot_be_is_named(office: Office) -> None:
    office.ledger.set_phase(office.id, Phase.STAGING, "test")
    office.drive.share(office.plain, user(office.people[1], write=True), guest("gast@firma.example"))
    office.drive.share(office.box, user(office.people[2]))
    for level in (Level.TARGET, Level.BOTH):
        assert office.run(Task(level)).state is LegState.VERIFIED
        assert office.shares.stated() == []
        assert office.losses() == ["external"]
    office.ledger.set_phase(office.id, Phase.FROZEN, "test")
    shared = [("Amt", USER, CARLA, 1, ""), ("Plan.txt", USER, BERND, 3, "")]
    assert office.verified() == shared
    office.ledger.set_phase(office.id, Phase.STAGING, "test")
    office.drive.unshare(office.plain)
    assert office.verified() == shared, "what was shared waits, too"


def test_what_cannot_be_shared_is_named_once(office: Office) -> None:
    stranger = office.people[3]
    office.drive.share(office.plain, user(stranger), guest("gast@firma.example"), group("team"))
    office.drive.share(office.box, link(Scope.ORGANIZATION), link(Scope.ANONYMOUS, password=True))
    office.drive.share(office.inner, link(Scope.ANONYMOUS, expires=datetime(2020, 1, 1, tzinfo=UTC)))
    for _ in range(2):
        assert office.verified() == []
        assert office.losses() == [
            "expired",
            "external",
            "group-unknown",
            "link-password",
            "organisation-link",
            "person-unknown",
        ]
    office.drive.unshare(office.plain)
    office.drive.unshare(office.box)
    assert office.verified() == []
    assert office.losses() == ["expired"]


def test_where_the_source_does_not_tell_nothing_is_taken_back(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    office.drive.share(office.plain, user(office.people[1]))
    shared = office.verified()

    def untold(*_given: object) -> Iterator[tuple[str, tuple[Grant, ...]]]:
        yield f"{office.drive.id}/{office.plain.id}", (Grant(Sharing.UNTOLD),)

    monkeypatch.setattr(GraphSource, "grants", untold)
    assert office.run(Task(Level.BOTH)).state is LegState.VERIFIED
    assert office.shares.stated() == shared == [("Plan.txt", USER, BERND, 1, "")]
    assert office.losses() == ["unreadable"]


def test_a_folder_waits_for_what_is_not_told_of_something_in_it(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    office.drive.share(office.box, user(office.people[1]))
    real = GraphSource.grants

    def untold(source: GraphSource, container: Container) -> Iterator[tuple[str, tuple[Grant, ...]]]:
        yield from real(source, container)
        if container.path[-1] == "Amt":
            yield f"{office.drive.id}/{office.inner.id}", (Grant(Sharing.UNTOLD),)

    with monkeypatch.context() as patch:
        patch.setattr(GraphSource, "grants", untold)
        assert (office.verified(), office.losses()) == ([], ["held-back", "unreadable"])
    both = office.verified()
    assert both == [("Amt", USER, BERND, 1, "")]
    office.drive.share(office.box, user(office.people[2]))
    monkeypatch.setattr(GraphSource, "grants", untold)
    assert (office.verified(), office.losses()) == (both, ["held-back", "unreadable"])
    office.ledger.approve(office.id, "narrower-rights", "somebody", "asked the owner")
    assert office.verified() == [*both, ("Amt", USER, CARLA, 1, "")]


def test_what_would_become_more_than_it_was_is_named(office: Office) -> None:
    _, two, three, _ = office.people
    office.drive.share(office.box, user(two))
    office.drive.part(office.inner)
    office.drive.share(office.inner, user(three))
    viewer = Permission(("sp.restricted view",), Grantee(Party.USER, two, two))
    office.drive.share(office.plain, viewer, Permission(("read",), Grantee(Party.GROUP, "")))
    named = ["narrower-than-parent", "not-understood", "other-rights"]
    assert office.verified() == [("Amt/Vermerk.txt", USER, CARLA, 1, "")]
    assert office.losses() == ["held-back", *named]
    office.ledger.approve(office.id, "narrower-rights", "somebody", "asked the owner")
    assert office.verified() == [("Amt", USER, BERND, 1, ""), ("Amt/Vermerk.txt", USER, CARLA, 1, "")]
    assert office.losses() == named


def test_a_folder_waits_for_an_approval_by_what_lies_deep_in_it(office: Office) -> None:
    _, two, three, _ = office.people
    other = office.drive.folder(office.drive.root, "Presse")
    office.drive.share(office.box, user(two))
    office.drive.share(other, user(two))
    office.verified()
    deep = office.drive.folder(office.drive.folder(office.box, "A"), "B")
    office.drive.part(deep)
    office.drive.share(deep, user(three))
    for _ in range(2):
        assert office.verified() == [("Amt/A/B", USER, CARLA, 1, ""), ("Presse", USER, BERND, 1, "")]
        assert office.losses() == ["held-back", "narrower-than-parent"]
    assert office.run(Task(Level.BOTH, copy=False)).state is LegState.VERIFIED
    mine = office.shares.add("anna", "Amt", USER, BERND)
    assert len(office.verified()) == 3
    assert mine in office.shares.all, "her own share is hers"


def test_the_owner_is_left_out_and_another_address_is_somebodys(office: Office) -> None:
    one, two, _, other = office.people
    office.directory = Directory(
        {one: frozenset({1}), two: frozenset({2}), other: frozenset({2})}, office.directory.targets
    )
    office.drive.share(office.plain, user(one, write=True), user(other))
    assert office.verified() == [("Plan.txt", USER, BERND, 1, "")]
    assert office.losses() == []


def test_changes_and_withdrawals_of_the_source_are_carried_over(office: Office) -> None:
    _, two, three, _ = office.people
    office.drive.share(office.plain, user(two, write=True), user(three))
    office.drive.share(office.box, link(Scope.ANONYMOUS))
    office.verified()
    office.drive.unshare(office.plain)
    office.drive.share(office.plain, user(two))
    office.drive.unshare(office.box)
    office.drive.rename(office.plain, "Umbenannt.txt")
    assert office.verified() == [("Umbenannt.txt", USER, BERND, 1, "")]
    office.drive.delete(office.plain)
    assert office.verified() == []


def test_whom_nobody_proved_or_somebody_denied_gets_nothing(office: Office) -> None:
    _, two, _, four = office.people
    files = frozenset({Kind.FILES})
    late = PlannedMailbox(four, "dora@new.example", "w", Phase.STAGING, files, target_login=CARLA)
    (number,) = office.ledger.add_mailboxes([late])
    office.drive.share(office.plain, user(two), user(four))
    assert office.verified() == [("Plan.txt", USER, BERND, 1, "")]
    assert office.losses() == ["person-later"]
    office.deny = DenyList(frozenset({two}))
    office.prove(str(number))
    assert office.verified() == [("Plan.txt", USER, CARLA, 1, "")]
    assert office.losses() == ["person-unknown"]


def test_people_are_named_as_the_target_names_them(office: Office) -> None:
    """Where people come from a directory, they log in with something else."""
    four = office.people[3]
    shelf = office.cloud.shelves.pop(CARLA)
    office.cloud.shelves["8c1f-uuid"] = shelf
    planned = PlannedMailbox(four, "d@new.example", "w", Phase.STAGING, frozenset({Kind.FILES}))
    (number,) = office.ledger.add_mailboxes([replace(planned, target_login="carla@new.example")])
    office.cloud.logins["carla@new.example"] = "8c1f-uuid"
    office.prove(str(number), user=office.user_of("carla@new.example"))
    office.drive.share(office.plain, user(four))
    assert office.verified() == [("Plan.txt", USER, "8c1f-uuid", 1, "")]
    assert office.losses() == []


def test_what_others_shared_at_the_target_stays_and_is_told_of(office: Office) -> None:
    office.drive.share(office.plain, user(office.people[1]))
    office.verified()
    office.shares.add("anna", "Plan.txt", USER, CARLA)
    result = office.run()
    assert (result.state, result.code) == (LegState.DIFFERS, "verification-differs")
    assert office.findings() == [(Outcome.DIFFERS, office.key(office.plain), "shares")]
    assert {who for _, _, who, *_ in office.shares.stated()} == {BERND, CARLA}
    office.drive.unshare(office.plain)
    office.run()
    assert office.shares.stated() == [("Plan.txt", USER, CARLA, 1, "")]


@pytest.mark.parametrize(
    ("there", "write", "losses"),
    [(1, False, []), (1, True, ["share-differs"]), (19, False, ["share-differs"])],
)
def test_what_was_there_before_us_is_not_ours_to_change_or_to_take_back(
    office: Office, there: int, write: bool, losses: list[str]
) -> None:
    assert office.verified() == []
    office.shares.add("anna", "Plan.txt", USER, BERND, there)
    office.drive.share(office.plain, user(office.people[1], write=write))
    kept = [("Plan.txt", USER, BERND, there, "")]
    for level in (Level.TARGET, Level.BOTH):
        assert office.run(Task(level)).state is LegState.VERIFIED
        assert office.shares.stated() == kept
        assert office.losses() == losses
    assert office.run(Task(Level.BOTH, copy=False)).state is LegState.VERIFIED
    office.drive.unshare(office.plain)
    assert office.verified() == kept
    assert office.losses() == []


@pytest.mark.parametrize("harm", ["gone", "wider", "later"])
def test_verification_finds_what_differs_and_a_run_mends_it(office: Office, harm: str) -> None:
    office.drive.share(office.plain, user(office.people[1]))
    office.drive.share(office.box, user(office.people[1]))
    before = office.verified()
    uploads = [request.method for request in office.cloud.requests].count("PUT")
    for share in list(office.shares.all):
        if harm == "gone":
            office.shares.all.remove(share)
        elif harm == "wider":
            share.permissions = 31 if share.folder else 19
        else:
            share.expires = LATER.date().isoformat()
    result = office.run(Task(Level.COUNTS, copy=False))
    assert result.state is LegState.DIFFERS
    assert sorted(office.findings(), key=str) == sorted(
        [(Outcome.DIFFERS, None, "shares"), (Outcome.DIFFERS, office.key(office.plain), "shares")], key=str
    )
    assert office.verified() == before
    sent = [request for request in office.cloud.requests if request.method == "PUT"]
    assert len([request for request in sent if "/dav/" in request.path]) == uploads  # no file was sent again


def test_what_the_source_shares_by_now_is_unchecked(office: Office) -> None:
    office.verified()
    office.drive.share(office.inner, user(office.people[1]))
    result = office.run(Task(Level.BOTH, copy=False))
    assert result.state is LegState.COPIED
    assert (Outcome.UNCHECKED, office.key(office.inner), "shares") in office.findings()


def test_a_share_that_has_ended_is_not_missed(office: Office) -> None:
    office.drive.share(office.plain, user(office.people[1]))
    office.verified()
    with office.ledger.engine.begin() as connection:
        connection.exec_driver_sql("UPDATE share SET ends = 1000")
    office.shares.all.clear()
    assert office.run(Task(Level.TARGET, copy=False)).state is LegState.VERIFIED


def test_twenty_at_a_time_are_waited_for_and_stopping_is_heard(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(files_shares, "AGAIN_SECONDS", 0.1)
    office.shares.most, office.shares.window = 2, 0.5
    for node in (office.plain, office.box, office.inner):
        office.drive.share(node, user(office.people[1]), user(office.people[2]))
    assert len(office.verified()) == 6
    office.shares.all.clear()
    office.shares.most = 0
    stop = threading.Event()
    threading.Timer(2.5, stop.set).start()
    assert office.run(stop=stop).code == "stopped"
    office.shares.most = 20
    assert len(office.verified()) == 6


def test_the_live_phase_shares_nothing(office: Office) -> None:
    office.verified()
    office.ledger.set_phase(office.id, Phase.LIVE, "test")
    office.drive.share(office.plain, user(office.people[1]))
    assert office.run().state is LegState.VERIFIED
    assert office.shares.stated() == []


def test_a_target_that_cannot_share(office: Office) -> None:
    office.drive.share(office.plain, user(office.people[1]), link(Scope.ANONYMOUS))
    office.drive.share(office.box, guest("gast@firma.example"))
    office.ledger.approve(office.id, "asserted", "somebody", "a server that states no address")
    with WebDavServer(["anna"]) as server:
        office.kind, office.url = "webdav", f"{server.url}/anna"
        assert office.run().state is LegState.VERIFIED
    assert office.losses() == ["external", "refused"]


def test_nobody_is_named(office: Office, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    logging.getLogger("httpx").setLevel(logging.WARNING)
    _, two, _, four = office.people
    office.drive.share(office.plain, user(two), user(four), guest("gast@firma.example"), group("Team West"))
    office.verified({"team west": "team"})
    office.shares.policy.api = False
    office.run()
    office.ledger.close()
    rows = "\n".join(every_row(office.folder / "ledger.db"))
    for name in (four, "gast@firma.example", "Team West", '"team"'):
        assert name.lower() not in rows.lower()
    for name in (two, four, BERND, "gast@firma.example", "Team West"):
        assert name.lower() not in caplog.text.lower()


def test_what_was_left_half_written_goes_if_it_is_ours(office: Office) -> None:
    office.verified()
    shelf = office.cloud.shelves["anna"]
    ours = f".kogge-{office.key(office.inner).hex()[:16]}.txt"
    theirs = ".kogge-0123456789abcdef.txt"
    for folder, name in (((), ours), (("Amt",), ours), (("Amt",), theirs)):
        shelf.put((*folder, name), b"half", None)
    assert office.run().state is LegState.VERIFIED
    names = {path.name for path in shelf.real(()).rglob("*") if path.name.startswith(".kogge-")}
    assert names == {theirs}
    assert (office.findings(), shelf.real(("Amt", "Vermerk.txt")).read_bytes()) == ([], b"note")


def test_a_share_made_by_a_worker_that_died_is_ours(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    office.drive.share(office.plain, user(office.people[1]))

    def die(*_given: object) -> None:
        if office.shares.all:
            raise Died

    with monkeypatch.context() as patch:
        patch.setattr(ShareLedger, "settle", die)
        with pytest.raises(Died):
            office.run()
    assert len(office.shares.all) == 1
    office.drive.unshare(office.plain)
    assert office.verified() == []


def test_a_server_where_sharing_is_switched_off_later(office: Office) -> None:
    office.drive.share(office.plain, user(office.people[1]))
    office.verified()
    office.shares.policy.api = False
    assert office.run().state is LegState.VERIFIED
    assert office.losses() == ["refused"]
