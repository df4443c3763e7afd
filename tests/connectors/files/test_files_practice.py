"""The practice Nextcloud has the traps that were measured on a real one."""

from __future__ import annotations

import hashlib
import re
import threading
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from files_desk import Desk, folder

from practice.nextcloud.files import USER_PASSWORD, NextcloudFiles

FILES = "/remote.php/dav/files/anna/"
UPLOAD = "/remote.php/dav/uploads/anna/u1/"


class Owner:
    """Anna, with a client of her own."""

    def __init__(self, cloud: NextcloudFiles) -> None:
        self.client = httpx.Client(base_url=cloud.url, auth=("anna", USER_PASSWORD), timeout=10)

    def ask(self, method: str, path: str, **more: Any) -> httpx.Response:
        return self.client.request(method, path, **more)


@pytest.fixture
def anna(cloud: NextcloudFiles) -> Iterator[Owner]:
    owner = Owner(cloud)
    yield owner
    owner.client.close()


def test_a_body_in_transfer_chunks_makes_an_empty_file(anna: Owner) -> None:
    answer = anna.ask("PUT", FILES + "a", content=iter([b"one", b"two"]))
    assert answer.status_code == 201
    assert anna.ask("GET", FILES + "a").content == b""


def test_a_checksum_is_kept_and_never_looked_at(anna: Owner) -> None:
    answer = anna.ask("PUT", FILES + "a", content=b"x", headers={"OC-Checksum": "SHA256:nonsense"})
    assert answer.status_code == 201
    assert b"nonsense" in anna.ask("PROPFIND", FILES + "a", headers={"Depth": "0"}).content
    anna.ask("PUT", FILES + "a", content=b"y")
    assert b"nonsense" not in anna.ask("PROPFIND", FILES + "a", headers={"Depth": "0"}).content


def test_hashes_are_of_what_is_stored(anna: Owner) -> None:
    wanted = hashlib.sha256(b"abc").hexdigest()
    answer = anna.ask("PUT", FILES + "a", content=b"abc", headers={"X-Hash": "sha256"})
    assert answer.headers["X-Hash-SHA256"] == wanted
    again = anna.ask("PATCH", FILES + "a", headers={"X-Recalculate-Hash": "sha256"})
    assert again.headers["OC-Checksum"] == f"SHA256:{wanted}"


def test_composed_and_decomposed_names_are_one(anna: Owner) -> None:
    assert anna.ask("PUT", FILES + "\xe9", content=b"one").status_code == 201
    assert anna.ask("PUT", FILES + "e\u0301", content=b"two").status_code == 204
    assert anna.ask("GET", FILES + "\xe9").content == b"two"


def test_a_date_it_refuses_is_500_and_the_file_is_there(anna: Owner) -> None:
    for date in ("86400", "soon"):
        assert anna.ask("PUT", FILES + date, content=b"x", headers={"X-OC-MTime": date}).status_code == 500
        assert anna.ask("GET", FILES + date).status_code == 200


def test_the_etag_says_nothing_of_the_bytes(anna: Owner) -> None:
    anna.ask("PUT", FILES + "a", content=b"one", headers={"X-OC-MTime": "1500000000"})
    first = anna.ask("HEAD", FILES + "a").headers["ETag"]
    anna.ask("PROPPATCH", FILES + "a", content=b"<x><lastmodified>1600000000</lastmodified></x>")
    assert anna.ask("HEAD", FILES + "a").headers["ETag"] != first


def test_missing_parents(anna: Owner) -> None:
    assert anna.ask("PUT", FILES + "no/a", content=b"x").status_code == 404
    assert anna.ask("MKCOL", FILES + "no/a").status_code == 409


def test_two_at_a_time_for_one_file_are_423(anna: Owner, cloud: NextcloudFiles) -> None:
    cloud.slow = 0.5
    statuses: list[int] = []

    def put() -> None:
        statuses.append(anna.ask("PUT", FILES + "a", content=b"x").status_code)

    threads = [threading.Thread(target=put) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(statuses) == [201, 423]


def test_overwriting_makes_a_version_unless_the_date_stays(anna: Owner, cloud: NextcloudFiles) -> None:
    for _ in range(2):
        anna.ask("PUT", FILES + "a", content=b"x", headers={"X-OC-MTime": "1500000000"})
    assert cloud.shelves["anna"].history.dates(("a",)) == []
    anna.ask("PUT", FILES + "a", content=b"y")
    assert cloud.shelves["anna"].history.older(("a",)) == {1_500_000_000: b"x"}


def test_versions_go_where_their_file_goes(anna: Owner) -> None:
    for date in (1_400_000_000, 1_500_000_000, 1_600_000_000):
        anna.ask("PUT", FILES + "a", content=b"%d" % date, headers={"X-OC-MTime": str(date)})
    anna.ask("MKCOL", FILES + "in")
    anna.ask("MOVE", FILES + "a", headers={"Destination": str(anna.client.base_url) + FILES + "in/b"})
    asked = anna.ask("PROPFIND", FILES + "in/b", content=b"<fileid/>", headers={"Depth": "0"}).text
    number = re.search("<oc:fileid>(.*)</oc:fileid>", asked)
    assert number is not None
    tree = f"/remote.php/dav/versions/anna/versions/{number[1]}"
    found = re.findall("/([0-9]+)</d:href>", anna.ask("PROPFIND", tree).text)
    assert sorted(map(int, found)) == [1_400_000_000, 1_500_000_000, 1_600_000_000]
    assert anna.ask("GET", f"{tree}/1500000000").content == b"1500000000"
    assert anna.ask("DELETE", FILES + "in/b").status_code == 204
    assert anna.ask("PROPFIND", tree).status_code == 404


def test_nothing_empty_becomes_a_version(anna: Owner, cloud: NextcloudFiles) -> None:
    for data in (b"", b"x"):
        anna.ask("PUT", FILES + "a", content=data)
    assert cloud.shelves["anna"].history.dates(("a",)) == []


def upload(anna: Owner, parts: dict[str, bytes], headers: dict[str, str]) -> httpx.Response:
    where = {"Destination": str(anna.client.base_url) + FILES + "a", **headers}
    assert anna.ask("MKCOL", UPLOAD, headers=where).status_code == 201
    for name, data in parts.items():
        assert anna.ask("PUT", UPLOAD + name, content=data, headers=where).status_code == 201
    return anna.ask("MOVE", UPLOAD + ".file", headers=where)


def test_a_missing_chunk_is_noticed_only_with_the_whole_length(anna: Owner) -> None:
    assert upload(anna, {"1": b"one", "3": b"three"}, {}).status_code == 201
    assert anna.ask("GET", FILES + "a").content == b"onethree"
    assert upload(anna, {"1": b"one", "3": b"three"}, {"OC-Total-Length": "11"}).status_code == 400


def test_an_upload_that_was_put_together_before_meets_its_file(anna: Owner) -> None:
    """sabre/dav looks for what has the name before it looks for the upload."""
    assert upload(anna, {"1": b"one"}, {}).status_code == 201
    for overwrite, status in (("F", 412), ("T", 404)):
        headers = {"Destination": FILES + "a", "Overwrite": overwrite}
        assert anna.ask("MOVE", UPLOAD + ".file", headers=headers).status_code == status


def test_an_upload_needs_its_place_and_names_chunks_by_number(anna: Owner) -> None:
    assert anna.ask("MKCOL", UPLOAD).status_code == 400
    where = {"Destination": str(anna.client.base_url) + FILES + "a"}
    anna.ask("MKCOL", UPLOAD, headers=where)
    for name in ("0", "10001", "a"):
        assert anna.ask("PUT", UPLOAD + name, content=b"x", headers=where).status_code == 400
    assert anna.ask("PUT", UPLOAD + "1", content=b"x").status_code == 400


def test_a_bulk_upload_overwrites_and_stops_at_a_wrong_checksum(anna: Owner) -> None:
    anna.ask("PUT", FILES + "a", content=b"theirs")
    parts = b""
    for path, data, digest in (
        ("/a", b"one", hashlib.md5(b"one").hexdigest()),
        ("/b", b"two", "wrong"),
        ("/c", b"three", hashlib.md5(b"three").hexdigest()),
    ):
        head = (
            f"--x\r\nX-File-Path: {path}\r\nContent-Length: {len(data)}\r\nOC-Checksum: md5:{digest}\r\n\r\n"
        )
        parts += head.encode() + data + b"\r\n"
    answer = anna.ask(
        "POST",
        "/remote.php/dav/bulk",
        content=parts + b"--x--\r\n",
        headers={"Content-Type": "multipart/related; boundary=x"},
    )
    assert answer.status_code == 400
    assert list(answer.json()) == ["/a"]
    assert anna.ask("GET", FILES + "a").content == b"one"
    assert anna.ask("GET", FILES + "c").status_code == 404


def test_a_bulk_upload_loses_blanks_at_the_end_of_a_name_and_tells_json_as_html(anna: Owner) -> None:
    digest = hashlib.md5(b"x", usedforsecurity=False).hexdigest()
    lines = (
        f"--b\r\nX-File-Path: /a.txt \r\nContent-Length: 1\r\nOC-Checksum: MD5:{digest}\r\n\r\nx\r\n--b--\r\n"
    )
    kind = {"Content-Type": "multipart/related; boundary=b"}
    answer = anna.ask("POST", "/remote.php/dav/bulk", content=lines.encode(), headers=kind)
    assert answer.headers["Content-Type"] == "text/html; charset=UTF-8"
    assert set(answer.json()) == {"/a.txt"}


def test_a_move_looks_at_its_destination_first(anna: Owner) -> None:
    anna.ask("PUT", FILES + "a", content=b"x")
    for to, status in (("no/b", 409), ("a", 412), ("b", 404)):
        headers = {"Destination": f"{FILES}{to}", "Overwrite": "F"}
        assert anna.ask("MOVE", FILES + "gone", headers=headers).status_code == status


def test_eleven_wrong_logins_lock_everybody_out(anna: Owner, cloud: NextcloudFiles) -> None:
    with httpx.Client(base_url=cloud.url, auth=("anna", "wrong")) as other:
        statuses = [other.get(FILES + "a").status_code for _ in range(12)]
    assert statuses == [401] * 11 + [429]
    assert anna.ask("PROPFIND", FILES).status_code == 429
    told = anna.ask("GET", "/ocs/v2.php/cloud/capabilities").json()["ocs"]["data"]["capabilities"]
    assert told["bruteforce"] == {"delay": 25_000, "allow-listed": False}


def test_what_ocs_is_asked_needs_its_header(anna: Owner) -> None:
    assert anna.ask("GET", "/ocs/v2.php/cloud/user").status_code == 412


def test_others_files_are_not_to_be_seen(tmp_path: object, anna: Owner) -> None:
    assert anna.ask("PROPFIND", "/remote.php/dav/files/bert/").status_code == 404


def test_a_folders_date_goes_when_a_child_comes(anna: Owner, desk: Desk) -> None:
    target = desk.target()
    target.ensure(folder("A"))
    anna.ask("PROPPATCH", FILES + "A/", content=b"<x><lastmodified>1600000000</lastmodified></x>")
    path = desk.cloud.shelves["anna"].real(("A",))
    assert int(path.stat().st_mtime) == 1_600_000_000
    anna.ask("PUT", FILES + "A/a", content=b"x")
    assert int(path.stat().st_mtime) > 1_700_000_000
