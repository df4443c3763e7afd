"""Folders: made once and in order, found again, renamed, dated; and answers of servers that mean no good."""

from __future__ import annotations

import resource
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from files_desk import WHEN, Desk, file, folder
from results import stored
from servers.dav.faults import Fault

from connectors.files.folders import href_of, names_of
from connectors.http.hrefs import Origin
from connectors.http.multistatus import Garbage
from connectors.webdav.propfind import entries
from connectors.webdav.read import paths
from model.errors import Blocked, Rejected
from model.kinds import Kind
from model.protocols import Container, Loss, Role
from practice.dav.proxy import Forward, Reply, Request

HERE = Origin("http", "127.0.0.1", 80)
HEAD = b'<?xml version="1.0"?><d:multistatus xmlns:d="DAV:">'


def response(href: str, properties: str = "<d:resourcetype/>") -> bytes:
    found = f"<d:propstat><d:prop>{properties}</d:prop><d:status>HTTP/1.1 200 OK</d:status></d:propstat>"
    return f"<d:response><d:href>{href}</d:href>{found}</d:response>".encode()


def read(*parts: bytes) -> list[tuple[str, ...]]:
    return [one.names for one in entries(parts, "/dav/", paths(HERE, "/dav/"))]


def places(desk: Desk, **settings: object) -> dict[str, tuple[str, ...]]:
    return {one.id: one.path for one in desk.target(**settings).containers()}


def test_the_root_is_there_from_the_start_and_has_the_role_of_files(desk: Desk) -> None:
    (root,) = desk.target().containers()
    assert (root.id, root.path, root.role) == ("", ("",), Role.FILES)
    target = desk.target()
    assert target.ensure(Container(Kind.FILES, "x", ("",), Role.FILES)) == ""
    assert target.position("") == ":0"


def test_folders_are_made_from_the_top_and_once(desk: Desk) -> None:
    target = desk.target()
    assert target.ensure(folder("A", "B", "C")) == "/A/B/C"
    assert target.ensure(folder("A", "B", "D")) == "/A/B/D"
    made = [request.path for request in desk.cloud.requests if request.method == "MKCOL"]
    base = "/remote.php/dav/files/anna"
    assert made == [f"{base}/A/", f"{base}/A/B/", f"{base}/A/B/C/", f"{base}/A/B/D/"]


def test_a_root_that_was_seen_is_not_asked_about_again(desk: Desk) -> None:
    target = desk.target()
    list(target.containers())
    before = desk.counts()["PROPFIND"]
    assert list(target.containers())
    assert not list(target.listing("", ""))
    assert desk.counts()["PROPFIND"] == before + 2


def test_nothing_is_printed(desk: Desk, capsys: pytest.CaptureFixture[str]) -> None:
    """webdavclient3 left to itself prints the name of each new folder."""
    target = desk.target()
    target.ensure(folder("A"))
    target.rename("/A", folder("B"))
    target.stamp("/B", WHEN)
    assert capsys.readouterr() == ("", "")


def test_what_is_known_to_be_there_is_not_made_again(desk: Desk) -> None:
    desk.target().ensure(folder("A", "B"))
    target = desk.target()
    list(target.containers())
    before = desk.counts()["MKCOL"]
    target.ensure(folder("A", "B"))
    assert desk.counts()["MKCOL"] == before


def test_names_of_dots_and_odd_signs_are_folders_of_their_own(desk: Desk) -> None:
    """webdavclient3 left to itself would drop the dots from the path."""
    target = desk.target()
    names = ["...", "a%20b", "c#d?e", "Größe ", "x;y=z", "(1)"]
    for name in names:
        target.ensure(folder(name, "in"))
    found = places(desk)
    assert set(found.values()) == {("",), *(("", name) for name in names), *(("", n, "in") for n in names)}
    stored(target.write("/.../in", [file(1)]))
    assert desk.files() == {".../in/file 1.txt": b"content"}


def test_250_levels(desk: Desk) -> None:
    names = tuple(f"Ebene {number}" for number in range(250))
    target = desk.target()
    href = target.ensure(folder(*names))
    stored(target.write(href, [file(1)]))
    assert [one.href for one in desk.target().listing(href)] == ["file 1.txt"]
    assert places(desk)[href] == ("", *names)


def test_everything_goes_below_the_root_of_the_settings(desk: Desk) -> None:
    target = desk.target(root="From/{login}")
    assert list(target.listing("")) == []
    target.ensure(folder("A"))
    stored(target.write("/A", [file(1)]))
    assert list(desk.files()) == ["From/anna/A/file 1.txt"]
    assert places(desk, root="From/{login}") == {"": ("",), "/A": ("", "A")}


@pytest.mark.parametrize("fault", [one for one in Fault if one is not Fault.FULL])
@pytest.mark.parametrize("method", ["MKCOL", "PROPFIND"])
def test_a_passing_fault_makes_a_folder_once(desk: Desk, fault: Fault, method: str) -> None:
    target = desk.target()
    assert target.capabilities
    desk.faults({(method, 1): fault})
    assert target.ensure(folder("A")) == "/A"
    assert set(places(desk)) == {"", "/A"}


def test_a_file_of_the_folders_name_is_told(desk: Desk) -> None:
    target = desk.target()
    stored(target.write("", [file(1, name="A")]))
    with pytest.raises(Rejected, match="name-taken"):
        target.ensure(folder("A"))


@pytest.mark.parametrize("name", ["a\\b", "x.part", "y" * 251, "..", "", "e\u0301"])
def test_a_name_that_cannot_be_is_not_sent(desk: Desk, name: str) -> None:
    with pytest.raises(Rejected, match="name-not-allowed"):
        desk.target().ensure(folder("A", name))
    assert desk.counts()["MKCOL"] == 0


@pytest.mark.parametrize("fault", [one for one in Fault if one is not Fault.FULL])
def test_a_rename_that_gets_lost_is_settled(desk: Desk, fault: Fault) -> None:
    target = desk.target()
    target.ensure(folder("A", "B"))
    stored(target.write("/A/B", [file(1)]))
    desk.faults({("MOVE", 1): fault})
    assert target.rename("/A", folder("C", "D")) == "/C/D"
    assert desk.files() == {"C/D/B/file 1.txt": b"content"}
    assert target.ensure(folder("A")) == "/A"


def test_a_rename_that_was_done_before_is_no_conflict(desk: Desk) -> None:
    target = desk.target()
    target.ensure(folder("A"))
    assert [target.rename("/A", folder("B")) for _ in range(2)] == ["/B", "/B"]
    target.ensure(folder("A"))
    with pytest.raises(Rejected, match="name-taken"):
        target.rename("/A", folder("B"))


def test_a_folder_that_is_not_there_cannot_be_renamed(desk: Desk) -> None:
    with pytest.raises(Blocked, match="container-missing"):
        desk.target().rename("/A", folder("B"))


def test_dates_of_folders_stay_when_they_are_set_from_the_bottom_up(desk: Desk) -> None:
    target = desk.target()
    target.ensure(folder("A", "B"))
    stored(target.write("/A/B", [file(1)]))
    assert target.stamp("/A/B", WHEN) == ()
    assert target.stamp("/A", WHEN) == ()
    found = {one.id: one.modified for one in desk.target().containers()}
    assert (found["/A"], found["/A/B"]) == (WHEN, WHEN)


def test_a_date_before_the_earliest_is_a_loss(desk: Desk) -> None:
    target = desk.target()
    target.ensure(folder("A"))
    assert target.stamp("/A", datetime(1965, 1, 1, tzinfo=UTC)) == (Loss("modified", "before-1970"),)


def shares(path: str) -> object:
    """A layer: everything below path is somebody else's."""

    def layer(request: Request, rest: Forward) -> Reply:
        answer = rest(request)
        parts = answer.body.split(b"<d:response>")
        marked = [
            one.replace(b"<oc:permissions>", b"<oc:permissions>S") if path.encode() in one else one
            for one in parts
        ]
        return replace(answer, body=b"<d:response>".join(marked))

    return layer


def test_what_others_share_with_the_account_is_left_alone(desk: Desk) -> None:
    target = desk.target()
    target.ensure(folder("Team", "Sub"))
    stored(target.write("/Team/Sub", [file(1)]))
    stored(target.write("", [file(2, name="Team.txt")]))
    desk.cloud.layers = (shares("/Team"),)  # type: ignore[assignment]
    fresh = desk.target()
    omitted = {one.id: one.omit for one in fresh.containers()}
    assert omitted == {"": None, "/Team": "shared"}
    assert list(fresh.listing("")) == []
    with pytest.raises(Blocked, match="no-permission"):
        desk.target().ensure(folder("Team"))


def test_a_file_half_written_beside_its_place_is_not_listed(desk: Desk) -> None:
    desk.cloud.shelves["anna"].put((".kogge-0123456789abcdef.txt",), b"half", None)
    assert list(desk.target().listing("")) == []


def test_a_folder_that_holds_nothing_but_what_was_half_written_is_empty(desk: Desk) -> None:
    target = desk.target()
    target.ensure(folder("A"))
    half, whole = ("A", ".kogge-0123456789abcdef.txt"), ("A", ".kogge-theirs.txt")
    for names in (half, whole):
        desk.cloud.shelves["anna"].put(names, b"half", None)
    assert not target.clear("/A")
    assert desk.files() == {"/".join(half): b"half", "/".join(whole): b"half"}
    desk.cloud.shelves["anna"].remove(whole)
    assert target.clear("/A")
    assert desk.files() == {}


def test_a_listing_that_is_cut_off_is_read_again(desk: Desk) -> None:
    target = desk.target()
    stored(target.write("", [file(number) for number in range(3)]))
    desk.faults({("PROPFIND", 1): Fault.CUT, ("PROPFIND", 2): Fault.BUSY})
    assert len(list(target.listing(""))) == 3


def test_hrefs_and_paths_are_one_to_one() -> None:
    for names in ((), ("A",), ("A", "B c"), ("...",)):
        assert names_of(href_of(names)) == names


def test_a_folder_of_100_000_files_is_read_as_it_comes() -> None:
    properties = (
        "<d:resourcetype/><d:getcontentlength>12345</d:getcontentlength>"
        '<d:getlastmodified>Thu, 04 Mar 2021 05:06:07 GMT</d:getlastmodified><d:getetag>"0123"</d:getetag>'
    )

    def answer() -> Iterator[bytes]:
        yield HEAD + response("/dav/", "<d:resourcetype><d:collection/></d:resourcetype>")
        for start in range(0, 100_000, 100):
            yield b"".join(
                response(f"/dav/Datei%20{number}.txt", properties) for number in range(start, start + 100)
            )
        yield b"</d:multistatus>"

    count = size = 0
    before = most = resident()
    for one in entries(answer(), "/dav/", paths(HERE, "/dav/")):
        count += not one.folder
        size += one.size
        most = max(most, resident() if count % 1000 == 0 else 0)
    assert (count, size) == (100_000, 1_234_500_000)
    assert most - before < 20_000_000  # as a tree they take 150 million bytes


def resident() -> int:
    """Bytes that this process holds."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize()


def test_hrefs_elsewhere_are_nobodys() -> None:
    found = read(
        HEAD
        + response("/dav/a")
        + response("/other/b")
        + response("http://elsewhere.example/dav/c")
        + response("/dav/../d")
        + response("http://127.0.0.1/dav/e")
        + b"</d:multistatus>"
    )
    assert found == [("a",), ("e",)]


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"<html><body>Welcome</body></html>",
        HEAD,
        HEAD + response("/dav/a"),
        HEAD + b"<d:response><d:response/></d:response></d:multistatus>",
        b'<!DOCTYPE d [<!ENTITY x "y">]>' + HEAD[21:] + response("/dav/&x;") + b"</d:multistatus>",
        b'<?xml version="1.0" encoding="nonsense"?><a/>',
    ],
)
def test_an_answer_that_is_none_is_refused(answer: bytes) -> None:
    with pytest.raises(Garbage):
        read(answer)
