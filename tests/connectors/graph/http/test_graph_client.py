"""HTTP to Graph: what every request says, how answers are understood, waited out, and ended."""

from __future__ import annotations

import logging
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest
from graph_script import ACCOUNT, HOME, INBOX, Answer, Ask, Cloud, Open, error, message, scripted

from connectors.graph.source import GraphSettings, GraphSource
from connectors.graph_api.client import GraphClient, query
from connectors.graph_api.errors import GraphRefusal, item_error, translated
from connectors.settings import Account, Secret
from model.errors import Blocked, MigrationError, Transient
from model.protocols import Native, Ref
from practice.graph.server import GraphServer
from practice.world.world import World

USER = Answer({"id": "U-1", "mail": "anna@example.org"})


def test_every_request_says_who_asks_and_wants_immutable_ids(source: Open) -> None:
    def script(ask: Ask) -> Answer:
        return Answer({"value": [], "@odata.deltaLink": "x?$deltatoken=1"}) if "delta" in ask.path else USER

    cloud = Cloud(script)
    opened = source(cloud, company="Example GmbH")
    opened.identity()
    list(opened.changes(INBOX, None))
    list(opened.fetch(INBOX, [Ref("m1", "")]))
    graph = [one for one in cloud.sent if one.url.host == "graph.example.org"]
    assert len(graph) == 4
    for request in graph:
        assert request.headers["user-agent"].startswith("NONISV|Example GmbH|Kogge/")
        assert 'IdType="ImmutableId"' in request.headers["prefer"]
    assert len({one.headers["client-request-id"] for one in graph}) == 4
    assert all('IdType="ImmutableId"' in ask.headers["prefer"] for batch in cloud.batches for ask in batch)


def test_a_user_principal_name_is_one_segment_of_the_path(source: Open) -> None:
    cloud = Cloud(lambda _: USER)
    source(cloud, Account(login="a/b#EXT#@example.org")).identity()
    assert cloud.asks[0].path == "/users/a/b#EXT#@example.org"
    assert b"/users/a%2Fb%23EXT%23%40example.org" in cloud.sent[-1].url.raw_path


@pytest.mark.parametrize(
    "busy",
    [
        error("ApplicationThrottled", 429, Retry_After="1"),
        error("ErrorServerBusy", 503, Retry_After="1"),
        Answer(status=502, headers={"Retry-After": "1"}),
        error("UnknownError", 504, Retry_After="1"),
        error("ErrorMailboxMoveInProgress", 400, Retry_After="1"),
        error("resourceLocked", 423, Retry_After="1"),
    ],
)
def test_busy_is_waited_out_as_long_as_the_server_asks(source: Open, busy: Answer) -> None:
    answers = iter([busy, USER])
    cloud = Cloud(lambda _: next(answers))
    started = time.monotonic()
    assert source(cloud).identity().id == "U-1"
    assert time.monotonic() - started >= 1


def test_a_wait_beyond_patience_leaves_the_mailbox_for_later(source: Open) -> None:
    cloud = Cloud(lambda _: error("ApplicationThrottled", 429, Retry_After="600"))
    with pytest.raises(Transient) as caught:
        source(cloud).identity()
    assert (caught.value.code, caught.value.after) == ("busy", 600)
    assert len(cloud.asks) == 1


@pytest.mark.parametrize(
    ("answer", "code"),
    [
        (error("ErrorInvalidUser", 404), "mailbox-missing"),
        (error("Request_ResourceNotFound", 404), "mailbox-missing"),
        (error("MailboxNotEnabledForRESTAPI", 404), "mailbox-not-online"),
        (error("ErrorAccessDenied", 403), "access-denied"),
        (error("Authorization_RequestDenied", 403), "access-denied"),
        (error("", 403), "access-denied"),
        (error("ErrorInvalidUrlQuery", 400), "server-refuses"),
    ],
)
def test_what_decides_about_the_mailbox_blocks_at_once(source: Open, answer: Answer, code: str) -> None:
    cloud = Cloud(lambda _: answer)
    with pytest.raises(Blocked) as caught:
        source(cloud).identity()
    assert caught.value.code == code
    assert "Anna" not in str(caught.value), "a server's own words may name a person"
    assert len(cloud.asks) == 1


@pytest.mark.parametrize(
    "page",
    [
        Answer(data=b"<html>Sign in</html>"),
        Answer(data=b"<html>", status=404),
        Answer([1]),
        Answer(status=302),
    ],
)
def test_what_is_no_graph_is_told_apart(source: Open, page: Answer) -> None:
    opened = source(Cloud(lambda _: page), patience_seconds=1)
    with pytest.raises(Transient, match="not-graph"):
        opened.identity()
    with pytest.raises(Blocked, match="not-graph"):
        opened.identity()


def test_a_code_that_might_be_content_is_not_shown() -> None:
    shown = str(translated(GraphRefusal(400, "Anna Angst <anna@example.org>")))
    assert "anna" not in shown.lower()
    assert "anna" not in str(item_error(GraphRefusal(400, "anna@example.org")))


def test_only_a_word_for_a_missing_item_means_that_it_vanished() -> None:
    assert item_error(GraphRefusal(404, "ErrorItemNotFound")).code == "vanished"
    assert item_error(GraphRefusal(404, "")).code == "item-refused", "a proxy's 404 is nobody's deletion"
    assert item_error(GraphRefusal(400, "ErrorInvalidIdMalformed")).code == "item-refused"


def test_a_query_is_coded_so_that_nothing_breaks_out_of_it() -> None:
    assert query(select="id,name", top=5) == "$select=id,name&$top=5"
    assert query(includeHiddenFolders_="true") == "includeHiddenFolders=true"
    assert query(filter="a eq 'b&c#d+e'") == "$filter=a%20eq%20'b%26c%23d%2Be'"


def test_nothing_about_the_mailbox_is_logged(source: Open, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG):
        cloud = Cloud(lambda _: USER)
        source(cloud).identity()
    assert "anna" not in caplog.text
    assert "token-1" not in caplog.text


@contextmanager
def silent() -> Iterator[int]:
    """A port that takes connections and never answers."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


def real(url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, **changes: float) -> GraphSource:
    monkeypatch.setenv("KOGGE_GRAPH_SECRET", "x")
    settings = GraphSettings.model_validate(
        {
            "tenant": "t",
            "client_id": "c",
            "client_secret": {"env": "KOGGE_GRAPH_SECRET"},
            "graph_url": f"{url}/v1.0",
            "authority": url,
            **changes,
        }
    )
    return GraphSource(settings, ACCOUNT, tmp_path)


def ended(action: threading.Thread, source: GraphSource) -> float:
    action.start()
    time.sleep(0.3)
    started = time.monotonic()
    source.close()
    action.join(timeout=10)
    assert not action.is_alive()
    return time.monotonic() - started


def test_close_ends_a_request_that_another_thread_waits_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    errors: list[MigrationError] = []
    with silent() as port:
        source = real(f"http://127.0.0.1:{port}", tmp_path, monkeypatch)

        def ask() -> None:
            try:
                source.identity()
            except MigrationError as error:
                errors.append(error)

        assert ended(threading.Thread(target=ask), source) < 2
    assert [error.code for error in errors] == ["source-closed"]


def test_close_ends_a_wait(source: Open) -> None:
    errors: list[MigrationError] = []
    cloud = Cloud(lambda _: error("ApplicationThrottled", 429, Retry_After="60"))
    opened = source(cloud, patience_seconds=900)

    def ask() -> None:
        try:
            opened.identity()
        except MigrationError as error:
            errors.append(error)

    assert ended(threading.Thread(target=ask), opened) < 2
    assert [error.code for error in errors] == ["source-closed"]


def test_a_server_that_does_not_answer_is_a_timeout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with silent() as port:
        source = real(
            f"http://127.0.0.1:{port}", tmp_path, monkeypatch, timeout_seconds=0.3, patience_seconds=0
        )
        with pytest.raises(Transient, match="timeout"):
            source.identity()
        source.close()


def test_a_server_that_is_not_there_is_unreachable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with silent() as port:
        pass
    source = real(f"http://127.0.0.1:{port}", tmp_path, monkeypatch, patience_seconds=0)
    with pytest.raises(Transient, match="unreachable"):
        source.identity()
    source.close()


def test_a_certificate_of_nobody_we_trust_blocks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with GraphServer(World(seed=3, people=1, items=0), https=True) as server:
        source = real(server.authority, tmp_path, monkeypatch)
        with pytest.raises(Blocked, match="tls-failed"):
            source.identity()
        source.close()


def test_bytes_are_asked_for_without_a_token_where_the_url_is_the_permission(tmp_path: Path) -> None:
    seen: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        return httpx.Response(206, content=b"part")

    settings = GraphSettings(tenant="t", client_id="c", client_secret=Secret(env="UNUSED"))
    client = GraphClient(settings, ACCOUNT, tmp_path, scripted(answer))
    headers = {"Range": "bytes=4-7"}
    with client.opened("GET", "https://files.example.org/x?sig=1", headers, bearer=False) as response:
        assert b"".join(response.chunks()) == b"part"
    assert "authorization" not in seen[0].headers
    assert seen[0].headers["range"] == "bytes=4-7"
    client.close()


def test_a_mailbox_is_read_over_tls(source: Open) -> None:
    world = World(seed=3, people=1, items=10, nasty=False)
    with GraphServer(world, https=True) as server:
        opened = source(server, Account(login=world.addresses()[0]), tls={"ca_file": str(server.ca_file)})
        found = [one for one in opened.containers() if one.total and not one.omit]
        refs = [ref for page in opened.changes(found[0], None) for ref in page.refs]
        assert all(isinstance(one, Native) for one in opened.fetch(found[0], refs))


def test_a_row_of_another_user_than_the_one_named_is_never_asked_for(source: Open) -> None:
    cloud = Cloud(lambda ask: Answer(message("m1")) if "messages" in ask.path else USER)
    opened = source(cloud)
    opened.identity()
    list(opened.fetch(INBOX, [Ref("m1", ""), Ref("m2", "")]))
    assert all(path.startswith(HOME) for path in cloud.paths())
