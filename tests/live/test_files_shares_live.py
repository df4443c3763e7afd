"""What a real Nextcloud shares; see live_files. The last test uses up what the account may share in ten
minutes, so the others go before it."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import urlencode

import pytest
from live_files import Desk, asked, file, folder, stored
from servers.smtp_sink import SmtpSink

from connectors.files.shares import FORM, SHARES
from connectors.files.target import FilesTarget
from model.errors import Blocked, Rejected
from model.optional_protocols import Grant, Sharing
from model.protocols import Loss

pytestmark = [pytest.mark.live, pytest.mark.timeout(1500)]
LOUD_SECONDS, QUIET_SECONDS = 60.0, 10.0
TODAY = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
LATER = TODAY + timedelta(days=40)
LINK = Grant(Sharing.LINK, everyone=True)
MOST = 20


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    made = Desk(tmp_path)
    if not made.home.ocs:
        pytest.skip("this server shares nothing")
    yield made
    made.close()


@pytest.fixture
def target(desk: Desk) -> FilesTarget:
    """A folder A with one file."""
    made = desk.target(patience_seconds=60)
    made.ensure(folder("A"))
    stored(made.write("/A", [file("ä b.txt")]))
    return made


@pytest.fixture
def guest() -> Grant:
    return Grant(Sharing.USER, asked("FILES_GUEST"))


@pytest.fixture
def group() -> Grant:
    return Grant(Sharing.GROUP, asked("FILES_GROUP"))


def shared(target: FilesTarget, name: str | None, *grants: Grant) -> list[Loss | None]:
    return [loss for _, loss in target.share("/A", name, grants)]


def test_a_file_and_a_folder_are_shared(target: FilesTarget, guest: Grant, group: Grant) -> None:
    """With a person, a group and whoever has the link, to read or to write, with an end or without."""
    for_file = (guest, replace(group, write=True), replace(LINK, expires=LATER))
    for_folder = (replace(guest, write=True, expires=LATER), group, replace(LINK, write=True))
    for name, grants in (("ä b.txt", for_file), (None, for_folder)):
        kept, losses = target.kept(grants, whole=name is None)
        assert (set(kept), losses) == (set(grants), ())
        assert shared(target, name, *kept) == [None] * 3
        assert target.shared("/A", name) == frozenset(grants)
        assert shared(target, name, *kept) == [None] * 3
        assert target.shared("/A", name) == frozenset(grants)


def test_rights_that_changed_and_shares_that_went(target: FilesTarget, guest: Grant, group: Grant) -> None:
    assert shared(target, None, guest, group) == [None, None]
    wider = replace(guest, write=True, expires=LATER)
    assert shared(target, None, wider) == [None]
    assert target.shared("/A", None) == {wider, group}
    assert shared(target, None, guest) == [None]
    assert target.shared("/A", None) == {guest, group}
    target.unshare("/A", None, [guest])
    target.unshare("/A", None, [guest])
    assert target.shared("/A", None) == {group}


def test_shares_follow_what_gets_another_name(target: FilesTarget, guest: Grant) -> None:
    assert shared(target, "ä b.txt", guest) == [None]
    target.rename("/A", folder("B"))
    assert target.shared("/B", "ä b.txt") == {guest}


def test_who_is_not_there(target: FilesTarget) -> None:
    nobody = Grant(Sharing.USER, "nobody-of-this-name")
    none = Grant(Sharing.GROUP, "no-group-of-this-name")
    losses = [Loss("share", "person-unknown"), Loss("share", "group-unknown")]
    assert shared(target, "ä b.txt", nobody, none) == losses
    with pytest.raises(Rejected, match="vanished"):
        target.shared("/A", "gone.txt")


def test_the_live_phase_shares_nothing(desk: Desk, target: FilesTarget, guest: Grant) -> None:
    with pytest.raises(Blocked, match="live-phase"):
        list(desk.target(live=True).share("/A", "ä b.txt", [guest]))
    assert target.shared("/A", "ä b.txt") == frozenset()


def test_nobody_is_told(desk: Desk, target: FilesTarget, guest: Grant) -> None:
    """The loud thing first: only where that reaches somebody does silence prove anything."""
    with ExitStack() as stack:
        sink = stack.enter_context(SmtpSink(port=int(asked("SMTP_PORT"))))
        stored(target.write("/A", [file("loud.txt")]))
        form = {"path": f"/{desk.root}/A/loud.txt", "shareType": "0", "shareWith": guest.who}
        body = urlencode({**form, "permissions": "1", "sendMail": "true"}).encode()
        assert desk.client.ask("POST", f"{desk.home.ocs}{SHARES}?format=json", FORM, body).ok
        assert _heard(sink, LOUD_SECONDS)
        sink.clear()
        for name in ("ä b.txt", None):
            assert shared(target, name, guest, replace(guest, write=True)) == [None, None]
        assert not _heard(sink, QUIET_SECONDS)


def _heard(sink: SmtpSink, seconds: float) -> bool:
    until = time.monotonic() + seconds
    while time.monotonic() < until and not sink.mails:
        time.sleep(0.5)
    return bool(sink.mails)


def test_more_than_it_lets_one_share_at_a_time(desk: Desk, target: FilesTarget, guest: Grant) -> None:
    """Waits ten minutes, unless this host is on the list of those that may share as they like."""
    names = [f"{number}.txt" for number in range(MOST + 5)]
    stored(target.write("/A", [file(name) for name in names]))
    waits = 0

    def waiting() -> None:
        nonlocal waits
        waits += 1

    for name in names:
        assert list(target.share("/A", name, [guest], waiting)) == [(guest, None)]
    assert all(target.shared("/A", name) == {guest} for name in names)
    assert waits > 0 or desk.target().server().get("allow-listed") == "yes"
