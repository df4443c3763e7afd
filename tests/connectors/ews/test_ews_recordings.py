"""Replies recorded from an independent EWS server, played back byte for byte: the second dialect."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from ews_records_script import T, elements
from ews_responder import Answer, Request, responder
from samples import samples

from connectors.ews.source import EwsSettings, EwsSource
from connectors.settings import Account, Secret
from model.kinds import Kind
from model.protocols import Container, Failed, Native, Ref

pytestmark = pytest.mark.samples
INBOX = Container(Kind.MAIL, "INBOX", ("Inbox",))


@pytest.fixture(scope="module")
def recordings() -> Path:
    return samples("ews-recordings")


def _play(folder: Path, numbers: dict[str, str], request: Request) -> Answer:
    (found,) = folder.glob(f"{numbers.get(request.operation, '025')}-*-response-*.xml")
    return Answer(found.read_bytes(), status=int(found.stem[-3:]), kind="text/xml")


def _source(url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> EwsSource:
    monkeypatch.setenv("EWS_PASSWORD", "x")
    account = Account(login="alice", address="alice@gx.test")
    return EwsSource(EwsSettings(url=url, password=Secret(env="EWS_PASSWORD")), account, tmp_path)


def _ids(folder: Path, number: str) -> list[str]:
    (request,) = folder.glob(f"{number}-*-request.xml")
    return re.findall(r'<t:ItemId Id="([^"]*)"', request.read_text())


def test_folders(recordings: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    play = {"GetFolder": "001", "FindFolder": "005"}
    with responder(lambda request: _play(recordings, play, request)) as server:
        source = _source(server.url, tmp_path, monkeypatch)
        found = {one.path[-1]: one for one in source.containers()}
        assert len(found) == 37
        assert found["Grüße & Co"].path[-2] == "Projects"
        assert found["Calendar"].kind is Kind.CALENDAR
        assert found["Spooler Queue"].omit == "search-folder"
        assert found["Inbox"].total == 34
        source.close()


def test_changes(recordings: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with responder(lambda request: _play(recordings, {"SyncFolderItems": "008"}, request)) as server:
        source = _source(server.url, tmp_path, monkeypatch)
        (page,) = source.changes(INBOX, None)
        assert len(page.refs) == 34
        assert all(ref.version and not ref.deleted for ref in page.refs)
        assert page.cursor.startswith("AgACARdAEA")
        source.close()


@pytest.mark.parametrize(("number", "count"), [("011", 10), ("013", 7), ("016", 1), ("018", 12), ("021", 1)])
def test_items_of_every_kind_arrive_as_messages(
    recordings: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: str, count: int
) -> None:
    with responder(lambda request: _play(recordings, {"GetItem": number}, request)) as server:
        source = _source(server.url, tmp_path, monkeypatch)
        refs = [Ref(id_, "") for id_ in _ids(recordings, number)]
        found = list(source.fetch(INBOX, refs))
        assert len(found) == len(refs)
        read = [one for one in found if isinstance(one, Native) and one.body is not None]
        assert len(read) == count
        for one in read:
            assert one.body is not None
            with one.body() as stream:
                assert stream.read(12) == b"MIME-Version"
        source.close()


@pytest.mark.parametrize(
    ("number", "kind", "tag", "told"),
    [
        ("013", Kind.CALENDAR, "CalendarItem", ["UID", "Start", "End", "CalendarItemType", "Body"]),
        ("018", Kind.CONTACTS, "Contact", ["EmailAddresses", "Birthday", "CompleteName", "Body"]),
        ("021", Kind.TASKS, "Task", ["DueDate", "Status", "PercentComplete"]),
    ],
)
def test_items_that_are_no_mail_arrive_as_records(
    recordings: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    number: str,
    kind: Kind,
    tag: str,
    told: list[str],
) -> None:
    """In this dialect no series names its changed occurrences with ids; times have nine digits."""
    with responder(lambda request: _play(recordings, {"GetItem": number}, request)) as server:
        source = _source(server.url, tmp_path, monkeypatch)
        refs = [Ref(id_, "") for id_ in _ids(recordings, number)]
        found = list(source.fetch(Container(kind, "F", ("F",)), refs))
        assert len(found) == len(refs)
        for one in found:
            (element,) = elements(one if isinstance(one, Native) else one.error.code)
            assert element.tag == T + tag
            assert [name for name in told if element.find(T + name) is None] == []
            assert element.find(T + "MimeContent") is None
        assert [request.operation for request in server.requests] == ["GetItem"]
        source.close()


def test_a_calendar_this_server_does_not_expand(
    recordings: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with responder(lambda request: _play(recordings, {"FindItem": "012"}, request)) as server:
        source = _source(server.url, tmp_path, monkeypatch)
        start = datetime(2024, 1, 1, tzinfo=UTC)
        calendar = Container(Kind.CALENDAR, "F", ("F",))
        assert source.occurrences(calendar, start, start + timedelta(days=3000)) is None
        source.close()


def test_refused_ids_each_have_a_fate(
    recordings: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with responder(lambda request: _play(recordings, {"GetItem": "027"}, request)) as server:
        source = _source(server.url, tmp_path, monkeypatch)
        (found,) = source.fetch(INBOX, [Ref("bogus", "")])
        assert isinstance(found, Failed)
        assert found.error.code == "item-refused"
        source.close()


def test_identity_and_what_is_not_offered(
    recordings: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    play = {"GetFolder": "001", "ResolveNames": "026", "GetDelegate": "023", "GetInboxRules": "024"}
    with responder(lambda request: _play(recordings, play, request)) as server:
        source = _source(server.url, tmp_path, monkeypatch)
        assert source.identity().addresses == frozenset()  # the recording answers for somebody else
        assert dict(source.extras()) == {
            "archive-mailbox": None,
            "recoverable-items": None,
            "public-folders": None,
            "inbox-rules": None,
            "delegates": 0,
            "holds": 0,
        }
        assert source.server()["dialect"] == "V2017_07_11"
        source.close()
