"""Sharing at a Nextcloud: what is made, changed and taken back, what its rules allow, and its patience."""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from files_desk import PASSWORD_ENV, Desk, file, folder
from results import stored
from servers.dav.faults import Fault
from servers.webdav import WebDavServer

from connectors.files import shares as files_shares
from connectors.files.target import FilesSettings, FilesTarget
from connectors.settings import Account
from model.errors import Blocked, LeaseLost, Rejected, Transient
from model.optional_protocols import Grant, Sharing, SupportsShares
from model.protocols import Loss
from practice.dav.proxy import Forward, Reply, Request, reply
from practice.nextcloud.files import USER_PASSWORD, NextcloudFiles
from practice.nextcloud.shares import GROUP, LINK, USER, NextcloudShares

BERND = Grant(Sharing.USER, "bernd")
TEAM = Grant(Sharing.GROUP, "team")
ANYBODY = Grant(Sharing.LINK, everyone=True)
TODAY = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
LATER = TODAY + timedelta(days=40)


@pytest.fixture
def cloud() -> Iterator[NextcloudFiles]:
    with NextcloudFiles(["anna", "bernd", *(f"user{number}" for number in range(30))]) as server:
        yield server


@pytest.fixture
def shares(cloud: NextcloudFiles) -> NextcloudShares:
    return NextcloudShares(cloud, groups=["team"])


@pytest.fixture
def target(desk: Desk, shares: NextcloudShares) -> FilesTarget:
    """A folder A with one file, to which the tests share."""
    made = desk.target()
    made.ensure(folder("A"))
    stored(made.write("/A", [file(1, name="ä b.txt")]))
    return made


def shared(target: FilesTarget, *grants: Grant, name: str | None = "ä b.txt") -> list[Loss | None]:
    found = list(target.share("/A", name, grants))
    assert [grant for grant, _ in found] == list(grants)
    return [loss for _, loss in found]


def test_it_can_share(target: FilesTarget) -> None:
    assert isinstance(target, SupportsShares)


def test_files_folders_people_groups_and_links(target: FilesTarget, shares: NextcloudShares) -> None:
    for_file = (BERND, replace(TEAM, write=True), ANYBODY)
    for_folder = (replace(BERND, write=True, expires=LATER), TEAM, replace(ANYBODY, write=True))
    assert shared(target, *for_file) == [None] * 3
    assert shared(target, *for_folder, name=None) == [None] * 3
    assert shares.stated() == [
        ("A", USER, "bernd", 15, LATER.date().isoformat()),
        ("A", GROUP, "team", 1, ""),
        ("A", LINK, "", 15, ""),
        ("A/ä b.txt", USER, "bernd", 1, ""),
        ("A/ä b.txt", GROUP, "team", 3, ""),
        ("A/ä b.txt", LINK, "", 17, ""),
    ]
    assert target.shared("/A", "ä b.txt") == frozenset(for_file)
    assert target.shared("/A", None) == frozenset(for_folder)


def test_nobody_is_mailed(target: FilesTarget, shares: NextcloudShares) -> None:
    shared(target, BERND, TEAM, ANYBODY)
    shared(target, replace(BERND, write=True))
    assert len(shares.all) == 3
    assert shares.mails == 0


def test_again_makes_nothing_twice(target: FilesTarget, shares: NextcloudShares, desk: Desk) -> None:
    grants = (BERND, TEAM, ANYBODY, replace(ANYBODY, expires=LATER))
    shared(target, *grants)
    before, posts = shares.stated(), desk.counts()["POST"]
    assert shared(target, *grants) == [None] * 4
    assert (shares.stated(), desk.counts()["POST"]) == (before, posts)


def test_what_is_shared_otherwise_is_changed(target: FilesTarget, shares: NextcloudShares) -> None:
    shared(target, replace(BERND, write=True, expires=LATER), name=None)
    shares.add("anna", "A", GROUP, "team", permissions=31)
    odd = Grant(Sharing.GROUP, "team", write=True, odd=True)
    assert target.shared("/A", None) == {replace(BERND, write=True, expires=LATER), odd}
    assert shared(target, BERND, TEAM, name=None) == [None, None]
    assert shares.stated() == [("A", USER, "bernd", 1, ""), ("A", GROUP, "team", 1, "")]


def test_what_no_grant_can_say(target: FilesTarget, shares: NextcloudShares) -> None:
    by_mail = shares.add("anna", "A", kind=4, who="bernd@firma.example")
    assert target.shared("/A", None) == {Grant(Sharing.EXTERNAL, str(by_mail.id), odd=True)}


def test_only_what_is_named_is_taken_back(target: FilesTarget, shares: NextcloudShares) -> None:
    shared(target, BERND, TEAM, ANYBODY)
    target.unshare("/A", "ä b.txt", [BERND, ANYBODY])
    target.unshare("/A", "ä b.txt", [BERND])
    target.unshare("/A", "nothing.txt", [BERND])
    assert target.shared("/A", "ä b.txt") == frozenset({TEAM})


def test_what_the_target_does_not_know(target: FilesTarget, shares: NextcloudShares) -> None:
    assert shared(target, Grant(Sharing.USER, "nobody"), Grant(Sharing.GROUP, "none"), BERND) == [
        Loss("share", "person-unknown"),
        Loss("share", "group-unknown"),
        None,
    ]
    assert target.shared("/A", "ä b.txt") == frozenset({BERND})


def test_oneself_and_the_root_are_refused(target: FilesTarget, shares: NextcloudShares) -> None:
    assert shared(target, Grant(Sharing.USER, "anna")) == [Loss("share", "refused")]
    assert list(target.share("", None, [BERND])) == [(BERND, Loss("share", "refused"))]
    assert target.shared("", None) == frozenset()
    assert shares.all == []


def test_what_is_gone_is_said_to_be(target: FilesTarget) -> None:
    with pytest.raises(Rejected, match="vanished"):
        target.shared("/A", "nothing.txt")
    with pytest.raises(Rejected, match="vanished"):
        list(target.share("/A", "nothing.txt", [BERND]))


def test_shares_follow_a_move(target: FilesTarget) -> None:
    shared(target, BERND)
    target.rename("/A", folder("B"))
    assert target.shared("/B", "ä b.txt") == frozenset({BERND})


def test_below_a_root_of_its_own(desk: Desk, shares: NextcloudShares) -> None:
    target = desk.target(root="Von früher")
    target.ensure(folder("A"))
    assert [loss for _, loss in target.share("", None, [BERND])] == [None]
    assert [loss for _, loss in target.share("/A", None, [BERND])] == [None]
    assert [path for path, *_ in shares.stated()] == ["Von früher", "Von früher/A"]


# What the rules allow


def test_each_person_once_and_until_a_days_beginning(target: FilesTarget) -> None:
    ends = LATER + timedelta(hours=17)
    given = [BERND, replace(BERND, write=True), replace(TEAM, write=True, expires=ends), TEAM]
    grants, losses = target.kept(given, whole=False)
    assert grants == (replace(BERND, write=True), replace(TEAM, write=True, expires=LATER))
    assert losses == (Loss("share", "several-rights"),)


@pytest.mark.parametrize("ends", [TODAY - timedelta(days=9), TODAY + timedelta(hours=23, minutes=59)])
def test_what_has_ended_or_does_today(target: FilesTarget, ends: datetime) -> None:
    assert target.kept([replace(BERND, expires=ends)], whole=False) == ((), (Loss("share", "expired"),))


@pytest.mark.parametrize(
    ("rule", "value", "refused"),
    [
        ("links", False, {"link-refused": 3}),
        ("password", True, {"link-refused": 3}),
        ("uploads", False, {"link-refused": 1}),
        ("link_days", 7, {"link-refused": 3}),
        ("link_days", 60, {"link-refused": 2}),
        ("groups", False, {"refused": 1}),
        ("inner_days", 60, {"refused": 2}),
        ("api", False, {"refused": 5}),
    ],
)
def test_an_administrators_rules(
    desk: Desk,
    target: FilesTarget,
    shares: NextcloudShares,
    rule: str,
    value: object,
    refused: dict[str, int],
) -> None:
    setattr(shares.policy, rule, value)
    target = desk.target()
    links = [ANYBODY, replace(ANYBODY, write=True), replace(ANYBODY, expires=LATER)]
    grants, losses = target.kept([BERND, TEAM, *links], whole=True)
    assert {one.reason: losses.count(one) for one in losses} == refused
    assert shared(target, *grants, name=None) == [None] * len(grants)


def test_rules_that_were_not_told(target: FilesTarget, shares: NextcloudShares) -> None:
    """A link that the server changes as it makes it is none; nothing of it stays."""
    target.kept([], whole=False)
    shares.policy.password = True
    assert shared(target, ANYBODY) == [Loss("share", "link-refused")]
    shares.policy.links = False
    assert shared(target, ANYBODY) == [Loss("share", "link-refused")]
    assert shares.all == []


def test_what_does_not_become_as_it_should_is_taken_back(
    target: FilesTarget, cloud: NextcloudFiles, shares: NextcloudShares
) -> None:
    def wider(request: Request, rest: Forward) -> Reply:
        """A server that gives more than it was asked for."""
        answer = rest(request)
        if request.method not in {"POST", "PUT"}:
            return answer
        for share in shares.all:
            share.permissions = 31
        return replace(answer, body=re.sub(rb'"permissions": \d+', b'"permissions": 31', answer.body))

    cloud.layers = (wider,)
    assert shared(target, BERND, ANYBODY, name=None) == [
        Loss("share", "refused"),
        Loss("share", "link-refused"),
    ]
    assert shares.all == []


@pytest.mark.parametrize("kind", ["webdav"])
def test_a_server_without_ocs_shares_nothing(
    kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(PASSWORD_ENV, USER_PASSWORD)
    with WebDavServer(["anna"]) as server:
        settings = {"kind": kind, "url": f"{server.url}/anna", "password": {"env": PASSWORD_ENV}}
        made = FilesTarget(
            FilesSettings.model_validate(settings), Account(login="anna"), lambda: None, tmp_path
        )
        assert made.kept([BERND, ANYBODY], whole=False) == ((), (Loss("share", "refused"),) * 2)
        assert made.shared("", None) == frozenset()
        made.close()


# How much may be shared at a time, and other faults


def test_twenty_at_a_time(
    target: FilesTarget, shares: NextcloudShares, desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(files_shares, "AGAIN_SECONDS", 0.1)
    shares.window = 1.0
    heard = []
    grants = [Grant(Sharing.USER, f"user{number}") for number in range(30)]
    found = list(target.share("/A", None, grants, lambda: heard.append(1)))
    assert [loss for _, loss in found] == [None] * 30
    assert target.shared("/A", None) == frozenset(grants)
    assert desk.counts()["POST"] > 30
    assert heard


def test_waiting_ends_with_the_lease_with_close_and_when_it_is_told_to(
    desk: Desk, target: FilesTarget, shares: NextcloudShares
) -> None:
    shares.most = 0

    class Stopped(Exception):
        pass

    def stop() -> None:
        raise Stopped

    with pytest.raises(Stopped):
        list(target.share("/A", None, [BERND], stop))

    calls = []

    def guard() -> None:
        calls.append(1)
        if len(calls) > 2:
            raise LeaseLost("lease-lost")

    with pytest.raises(LeaseLost):
        list(desk.target(guard).share("/A", None, [BERND]))
    closing = desk.target()
    threading.Timer(0.5, closing.close).start()
    began = time.monotonic()
    with pytest.raises(Transient, match="connection-closed"):
        list(closing.share("/A", None, [BERND]))
    assert time.monotonic() - began < 5


def test_a_server_that_never_lets_us_is_not_the_items_fault(
    target: FilesTarget, shares: NextcloudShares, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(files_shares, "AGAIN_SECONDS", 0.05)
    monkeypatch.setattr(files_shares, "WINDOW_SECONDS", 0.3)
    shares.most = 0
    with pytest.raises(Transient, match="busy"):
        shared(target, BERND)


@pytest.mark.parametrize("persisted", [True, False])
@pytest.mark.parametrize("grant", [BERND, TEAM, ANYBODY], ids=lambda one: one.kind.value)
def test_a_reply_that_is_lost(
    target: FilesTarget, shares: NextcloudShares, cloud: NextcloudFiles, grant: Grant, *, persisted: bool
) -> None:
    lost = []

    def losing(request: Request, rest: Forward) -> Reply:
        if request.method != "POST" or lost:
            return rest(request)
        lost.append(rest(request) if persisted else None)
        return reply(503)

    cloud.layers = (losing,)
    assert shared(target, grant) == [None]
    assert len(shares.all) == 1


def test_a_share_at_which_the_server_fails_keeps_nothing_else(
    target: FilesTarget, shares: NextcloudShares, cloud: NextcloudFiles
) -> None:
    cloud.layers = (
        lambda request, rest: reply(500) if b"shareWith=bernd" in request.body else rest(request),
    )
    assert shared(target, BERND, TEAM) == [Loss("share", "refused"), None]


def test_faults_that_pass(target: FilesTarget, shares: NextcloudShares, desk: Desk) -> None:
    desk.faults({("GET", 1): Fault.BUSY, ("PUT", 1): Fault.BUSY, ("DELETE", 1): Fault.BUSY})
    shares.add("anna", "A", USER, "bernd", permissions=31)
    assert shared(target, BERND, name=None) == [None]
    target.unshare("/A", None, [BERND])
    assert shares.all == []


def test_the_live_phase(desk: Desk, target: FilesTarget) -> None:
    live = desk.target(live=True)
    with pytest.raises(Blocked, match="live-phase"):
        live.share("/A", None, [BERND])
    with pytest.raises(Blocked, match="live-phase"):
        live.unshare("/A", None, [BERND])


def test_a_lost_lease_changes_nothing(desk: Desk, target: FilesTarget, shares: NextcloudShares) -> None:
    def guard() -> None:
        raise LeaseLost("lease-lost")

    late = desk.target(guard)
    shared(target, TEAM)
    for change in (
        lambda: list(late.share("/A", "ä b.txt", [BERND])),
        lambda: list(late.share("/A", "ä b.txt", [replace(TEAM, write=True)])),
        lambda: late.unshare("/A", "ä b.txt", [TEAM]),
    ):
        with pytest.raises(LeaseLost):
            change()
    assert target.shared("/A", "ä b.txt") == frozenset({TEAM})


@pytest.mark.parametrize("fault", [fault for fault in Fault if fault is not Fault.FULL])
@pytest.mark.parametrize("nth", range(1, 7))
def test_any_fault_at_any_request(
    target: FilesTarget,
    shares: NextcloudShares,
    desk: Desk,
    monkeypatch: pytest.MonkeyPatch,
    fault: Fault,
    nth: int,
) -> None:
    """Two shares are made, one is changed, and one taken back."""
    monkeypatch.setattr(files_shares, "AGAIN_SECONDS", 0.05)
    shares.add("anna", "A", GROUP, "team", permissions=31)
    faults = desk.faults({("*", nth): fault})
    assert shared(target, BERND, TEAM, ANYBODY, name=None) == [None] * 3
    target.unshare("/A", None, [BERND])
    assert faults.struck == [fault]
    assert shares.stated() == [("A", GROUP, "team", 1, ""), ("A", LINK, "", 17, "")]
    assert shares.mails == 0
