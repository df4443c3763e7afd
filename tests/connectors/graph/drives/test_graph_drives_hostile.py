"""Files over Graph as a well-meaning server would never tell of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import httpx
import pytest
from graph_drive_desk import code, fetched, folders, listed, read
from graph_script import ACCOUNT, Answer, Ask, Cloud, error, scripted

from connectors.exchange.folders import DEEPEST
from connectors.graph.source import GraphSettings, GraphSource
from connectors.http.transport import Send
from connectors.settings import Secret
from model.errors import Blocked, CursorLost, MigrationError, Transient
from model.kinds import Kind
from model.protocols import Failed, Ref
from practice.drive.quickxor import quickxor_text

DRIVE = "b!drive"
DOWNLOAD = "https://files.example.org/download"
Bytes = Callable[[httpx.Request], httpx.Response]


def row(id_: str, parent: str = "R", **facets: object) -> dict[str, object]:
    """A file in the root, unless facets say otherwise."""
    kind = facets or {
        "file": {"mimeType": "text/plain", "hashes": {"quickXorHash": quickxor_text(1, [(0, b"x")])}}
    }
    return {
        "id": id_,
        "name": f"name of {id_}",
        "size": 1,
        "parentReference": {"driveId": DRIVE, "id": parent},
        "fileSystemInfo": {"lastModifiedDateTime": "2024-02-03T04:05:06Z"},
        **kind,
    }


ROOT = row("R", "", root={}, folder={})


class Shelf(Cloud):
    """A cloud with one drive. rows: of its delta; items: what asking for one gives, a file by default; bytes:
    how addresses answer."""

    def __init__(self, *rows: Mapping[str, object], bytes_: Bytes | None = None) -> None:
        super().__init__(self._answered)
        self.rows = [dict(one) for one in rows]
        self.items: dict[str, Answer] = {}
        self.delta: Callable[[Ask], Answer] = lambda _: Answer(
            {"value": self.rows, "@odata.deltaLink": "https://graph.example.org/v1.0/x?token=t1"}
        )
        self.bytes = bytes_ or (lambda _: httpx.Response(200, content=b"x"))
        self.url = DOWNLOAD
        self.downloads: list[httpx.Request] = []

    @property
    def network(self) -> Send:
        return scripted(self._routed)

    def _routed(self, request: httpx.Request) -> httpx.Response:
        if request.url.host == "files.example.org":
            self.downloads.append(request)
            return self.bytes(request)
        return self._answer(request)

    def _answered(self, ask: Ask) -> Answer:
        path = ask.path.removeprefix(f"/drives/{DRIVE}")
        if ask.path.endswith("/drive"):
            return Answer({"id": DRIVE, "name": "OneDrive"})
        if ask.path.endswith("/drives"):
            return Answer({"value": [{"id": DRIVE, "name": "OneDrive"}]})
        if path == "/root/delta":
            return self.delta(ask)
        if path == "":
            return Answer({"id": DRIVE})
        id_ = path.removeprefix("/items/")
        if id_ in self.items:
            return self.items[id_]
        found = next((one for one in self.rows if one["id"] == id_), None)
        if found is None:
            return error("itemNotFound", 404)
        return Answer({**found, "@microsoft.graph.downloadUrl": self.url})


Open = Callable[[Shelf], GraphSource]


@pytest.fixture
def opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Open]:
    monkeypatch.setenv("KOGGE_GRAPH_SECRET", "practice-migrator")
    made: list[GraphSource] = []

    def make(shelf: Shelf) -> GraphSource:
        options: dict[str, Any] = {
            "tenant": "example.org",
            "client_id": "0000-1111",
            "client_secret": Secret(env="KOGGE_GRAPH_SECRET"),
            "graph_url": "https://graph.example.org/v1.0",
            "authority": "https://login.example.org",
            "patience_seconds": 1,
        }
        kinds = frozenset({Kind.FILES})
        made.append(GraphSource(GraphSettings(**options), ACCOUNT, tmp_path, kinds, shelf.network))
        return made[-1]

    yield make
    for one in made:
        one.close()


def named(source: GraphSource, *path: str) -> set[str]:
    refs, _ = listed(source, folders(source)[path])
    return {ref.id.rpartition("/")[2] for ref in refs}


def test_rows_come_in_any_order_and_the_last_about_an_item_counts(opened: Open) -> None:
    old = row("A", "elsewhere")
    source = opened(Shelf(old, row("F", "R", folder={}), row("A", "F"), ROOT, {"name": "without an id"}))
    assert set(folders(source)) == {(), ("name of F",)}
    assert named(source, "name of F") == {"A"}
    assert named(source) == set()


def test_a_folder_that_was_not_told_is_asked_for(opened: Open) -> None:
    shelf = Shelf(ROOT, row("A", "F"))
    shelf.items["F"] = Answer(row("F", "E", folder={}))
    shelf.items["E"] = Answer(row("E", "R", folder={}))
    assert named(opened(shelf), "name of E", "name of F") == {"A"}


def test_what_lies_in_a_folder_that_nobody_knows_is_told_in_the_root(opened: Open) -> None:
    source = opened(Shelf(ROOT, row("A", "gone"), row("B", "")))
    assert named(source) == {"A", "B"}
    assert all(read(result) == b"x" for result in fetched(source, folders(source)[()]).values())


def circle(*ids: str) -> list[dict[str, object]]:
    """Folders of which each lies in the next, and the last in the first."""
    return [row(id_, ids[at - 1], folder={}) for at, id_ in enumerate(ids)]


@pytest.mark.parametrize("ids", ["F", "FG", "FGHIJ"])
def test_folders_that_hold_each_other_are_refused_and_counted(opened: Open, ids: str) -> None:
    below = row("B", "F", folder={})
    source = opened(Shelf(ROOT, *circle(*ids), below, row("A", "F"), row("C", "B"), row("D")))
    found = {one.id.rpartition("/")[2]: one for one in source.containers()}
    assert {id_: one.omit for id_, one in found.items()} == {
        "R": None,
        **dict.fromkeys(ids + "B", "unreachable"),
    }
    assert sum(one.total or 0 for one in found.values()) == 3
    assert found["F"].path == ("OneDrive", "name of F")
    assert named(source) == {"D"}


def test_folders_that_were_moved_while_they_were_listed_are_asked_for(opened: Open) -> None:
    shelf = Shelf(ROOT, *circle("F", "G"), row("A", "G"))
    shelf.items["F"] = Answer(row("F", "new", folder={}))
    shelf.items["new"] = Answer(row("new", "R", folder={}))
    assert named(opened(shelf), "name of new", "name of F", "name of G") == {"A"}


@pytest.mark.parametrize("parent", ["F", "G", "R"])
def test_the_root_below_its_own_folders_is_the_root(opened: Open, parent: str) -> None:
    again = {**ROOT, "root": None, "parentReference": {"id": parent}}
    shared = row("G", "F", folder={}, shared={})
    source = opened(Shelf(ROOT, row("F", "R", folder={}), shared, again, row("A", "G")))
    assert set(folders(source)) == {(), ("name of F",), ("name of F", "name of G")}
    assert named(source, "name of F", "name of G") == {"A"}
    assert list(source.grants(folders(source)["name of F", "name of G"])) == []


def test_folders_without_end_end(opened: Open) -> None:
    """Each that is asked for lies in another that was not told."""
    shelf = Shelf(ROOT, row("A", "f0"))
    answered = shelf.script

    def endless(ask: Ask) -> Answer:
        id_ = ask.path.rpartition("/")[2]
        if not id_.startswith("f"):
            return answered(ask)
        return Answer(row(id_, f"f{int(id_[1:]) + 1}", folder={}))

    shelf.script = endless
    found = {path[-1]: path for path in folders(opened(shelf)) if path}
    assert len(found) == DEEPEST
    assert len(found["name of f0"]) == DEEPEST


def test_a_drive_without_a_root_is_no_empty_drive(opened: Open) -> None:
    with pytest.raises(Transient, match="sync-stuck"):
        list(opened(Shelf(row("A"))).containers())


def test_a_link_that_does_not_advance_ends(opened: Open) -> None:
    shelf = Shelf(ROOT)
    shelf.delta = lambda _: Answer({"value": [], "@odata.nextLink": "https://graph.example.org/x?token=same"})
    with pytest.raises(Transient, match="sync-stuck"):
        list(opened(shelf).containers())


def test_links_that_lead_in_a_circle_end(opened: Open) -> None:
    shelf = Shelf(ROOT)
    following = {"": "a", "a": "b", "b": "c", "c": "a"}

    def delta(ask: Ask) -> Answer:
        link = f"https://graph.example.org/x?token={following[ask.query.get('token', '')]}"
        return Answer({"value": [ROOT], "@odata.nextLink": link})

    shelf.delta = delta
    with pytest.raises(Transient, match="sync-stuck"):
        list(opened(shelf).containers())
    assert len(shelf.asks) < 10


def test_a_listing_without_a_link_to_go_on_from_is_none(opened: Open) -> None:
    shelf = Shelf(ROOT)
    shelf.delta = lambda _: Answer({"value": [ROOT]})
    with pytest.raises(Transient, match="sync-stuck"):
        list(opened(shelf).containers())


@pytest.mark.parametrize("code_", ["resyncRequired", "resyncChangesApplyDifferences", "somethingElse"])
def test_a_lost_token_is_lost_whatever_it_is_called(opened: Open, code_: str) -> None:
    shelf = Shelf(ROOT)
    source = opened(shelf)
    root = folders(source)[()]
    _, cursor = listed(source, root)
    shelf.delta = lambda _: error(code_, 410, Location="https://graph.example.org/v1.0/x?token=anew")
    with pytest.raises(CursorLost):
        listed(source, root, cursor)


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("", "item-refused"),
        ("http://files.example.org/x", "item-refused"),
        ("file:///etc/passwd", "item-refused"),
    ],
)
def test_an_address_that_is_none_is_not_asked(opened: Open, url: str, expected: str) -> None:
    shelf = Shelf(ROOT, row("A"))
    shelf.url = url
    source = opened(shelf)
    assert [code(one) for one in fetched(source, folders(source)[()]).values()] == [expected]
    assert shelf.downloads == []


def test_no_bytes_need_no_address(opened: Open) -> None:
    shelf = Shelf(ROOT, {**row("A", file={"mimeType": "text/plain"}), "size": 0})
    shelf.url = ""
    source = opened(shelf)
    assert [read(one) for one in fetched(source, folders(source)[()]).values()] == [b""]


@pytest.mark.parametrize("size", [0, None])
@pytest.mark.parametrize("url", ["", DOWNLOAD])
def test_no_bytes_are_a_file_only_where_graph_says_that_there_are_none(
    opened: Open, url: str, size: int | None
) -> None:
    hashes = {"quickXorHash": quickxor_text(1, [(0, b"x")])} if size == 0 else {}
    shelf = Shelf(ROOT, {**row("A", file={"mimeType": "text/plain", "hashes": hashes}), "size": size})
    shelf.url, shelf.bytes = url, lambda _: httpx.Response(200)
    source = opened(shelf)
    expected = "hash-mismatch" if url else "item-refused"
    assert [code(one) for one in fetched(source, folders(source)[()]).values()] == [expected]


def test_neither_token_nor_preferences_that_name_nobody_go_to_an_address(opened: Open) -> None:
    shelf = Shelf(ROOT, row("A"))
    source = opened(shelf)
    assert [read(one) for one in fetched(source, folders(source)[()]).values()] == [b"x"]
    (request,) = shelf.downloads
    assert "authorization" not in request.headers
    assert request.headers["accept-encoding"] == "identity"


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (lambda _: httpx.Response(200, content=b"y"), "hash-mismatch"),
        (lambda _: httpx.Response(200, content=b"xx"), "hash-mismatch"),
        (lambda _: httpx.Response(200, content=b""), "hash-mismatch"),
        (lambda _: httpx.Response(200, text="<html>", headers={"Content-Type": "text/html"}), "poison-item"),
        (lambda _: httpx.Response(302, headers={"Location": "https://elsewhere.example/"}), "poison-item"),
        (
            lambda _: httpx.Response(206, content=b"x", headers={"Content-Range": "bytes 7-7/9"}),
            "poison-item",
        ),
        (lambda _: httpx.Response(500), "poison-item"),
        (lambda _: httpx.Response(403), "item-refused"),
        (lambda _: httpx.Response(403, headers={"X-Virus-Infected": "EICAR"}), "blocked-by-source"),
        (lambda _: httpx.Response(416), "hash-mismatch"),
    ],
)
def test_what_is_not_the_file_is_never_given_out(opened: Open, answer: Bytes, expected: str) -> None:
    source = opened(Shelf(ROOT, row("A"), bytes_=answer))
    assert [code(one) for one in fetched(source, folders(source)[()]).values()] == [expected]


@pytest.mark.parametrize("tag", ["", 'W/"1"', '"1"'])
def test_the_rest_of_another_version_is_not_the_rest(opened: Open, tag: str) -> None:
    """Without a hash and an ETag nothing would tell."""

    def answer(request: httpx.Request) -> httpx.Response:
        headers = {"ETag": tag} if tag else {}
        if len(shelf.downloads) == 1:
            return httpx.Response(200, content=b"ol", headers=headers)
        if "range" in request.headers and "if-range" not in request.headers:
            return httpx.Response(206, content=b"w!", headers={"Content-Range": "bytes 2-3/4"})
        return httpx.Response(200, content=b"new!")

    shelf = Shelf(ROOT, {**row("A", file={"mimeType": "text/plain"}), "size": 4}, bytes_=answer)
    source = opened(shelf)
    assert [read(one) for one in fetched(source, folders(source)[()]).values()] == [b"new!"]


def test_a_file_that_never_ends_is_not_spooled_without_end(
    opened: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("connectors.graph_drives.download.BEYOND", 1000)
    shelf = Shelf(ROOT, row("A"), bytes_=lambda _: httpx.Response(200, content=b"y" * 100_000))
    source = opened(shelf)
    assert [code(one) for one in fetched(source, folders(source)[()]).values()] == ["poison-item"]


def test_busy_without_end_is_the_leg_s_to_wait_for(opened: Open) -> None:
    shelf = Shelf(ROOT, row("A"), bytes_=lambda _: httpx.Response(429, headers={"Retry-After": "0"}))
    source = opened(shelf)
    root = folders(source)[()]
    refs, _ = listed(source, root)
    shelf.bytes = lambda _: httpx.Response(429, headers={"Retry-After": "60"})
    with pytest.raises(Transient, match="busy") as caught:
        list(source.fetch(root, refs))
    assert caught.value.after == 60


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (error("itemNotFound", 404), "vanished"),
        (error("accessDenied", 403), "item-refused"),
        (error("malwareDetected", 403), "blocked-by-source"),
        (error("generalException", 500), "poison-item"),
        (error("notSupported", 400), "item-refused"),
        (Answer({"id": "another"}), "poison-item"),
        (Answer({**row("A"), "deleted": {"state": "deleted"}}), "vanished"),
        (Answer(row("A", package={"type": "oneNote"})), "not-a-file"),
        (Answer(row("A", folder={})), "not-a-file"),
    ],
)
def test_the_fate_of_one_item(opened: Open, answer: Answer, expected: str) -> None:
    shelf = Shelf(ROOT, row("A"), row("B"))
    shelf.items["A"] = answer
    source = opened(shelf)
    root = folders(source)[()]
    results = list(source.fetch(root, listed(source, root)[0]))
    assert [code(one) for one in results if isinstance(one, Failed)] == [expected]
    assert [read(one) for one in results if not isinstance(one, Failed)] == [b"x"]


def test_no_item_is_blamed_for_a_drive_that_is_gone(opened: Open) -> None:
    shelf = Shelf(ROOT, row("A"))
    source = opened(shelf)
    root = folders(source)[()]
    refs, _ = listed(source, root)
    shelf.script = lambda _: error("itemNotFound", 404)
    with pytest.raises(MigrationError) as caught:
        list(source.fetch(root, refs))
    assert caught.value.code != "vanished"


def test_a_drive_that_is_refused_blocks(opened: Open) -> None:
    shelf = Shelf(ROOT)
    shelf.script = lambda _: error("accessDenied", 403)
    with pytest.raises(Blocked, match="access-denied"):
        list(opened(shelf).containers())


def test_an_unknown_ref_has_vanished(opened: Open) -> None:
    source = opened(Shelf(ROOT))
    root = folders(source)[()]
    assert [code(one) for one in source.fetch(root, [Ref(f"{DRIVE}/nothing", "")])] == ["vanished"]
