"""The practice Nextcloud shares as the real one was measured to."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from practice.nextcloud.files import OCS, USER_PASSWORD, NextcloudFiles
from practice.nextcloud.shares import GROUP, LINK, PATH, USER, NextcloudShares

OCS_HEADER = {"OCS-APIRequest": "true"}


@pytest.fixture
def cloud() -> Iterator[NextcloudFiles]:
    with NextcloudFiles(["anna", "bernd", "carla"]) as server:
        server.shelves["anna"].real(("A",)).mkdir()
        server.shelves["anna"].real(("A", "b.txt")).write_bytes(b"b")
        yield server


@pytest.fixture
def shares(cloud: NextcloudFiles) -> NextcloudShares:
    return NextcloudShares(cloud, groups=["team"])


def ask(cloud: NextcloudFiles, method: str, path: str = "", **given: Any) -> httpx.Response:
    given = {"headers": OCS_HEADER, **given}
    return httpx.request(method, f"{cloud.url}{OCS}{PATH}{path}", auth=("anna", USER_PASSWORD), **given)


def made(cloud: NextcloudFiles, **fields: object) -> dict[str, Any]:
    answer = ask(cloud, "POST", data={"path": "/A", "shareType": USER, "shareWith": "bernd", **fields})
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()["ocs"]["data"]
    return found


def test_without_its_header_ocs_answers_nothing(cloud: NextcloudFiles, shares: NextcloudShares) -> None:
    assert ask(cloud, "GET", headers={}, params={"path": "/A"}).status_code == 412


def test_what_is_given_unless_asked_otherwise(cloud: NextcloudFiles, shares: NextcloudShares) -> None:
    assert made(cloud)["permissions"] == 31
    assert made(cloud, path="/A/b.txt")["permissions"] == 19
    link = {"shareType": LINK, "shareWith": ""}
    assert made(cloud, **link)["permissions"] == 17
    assert made(cloud, **link, permissions=1)["permissions"] == 17
    assert len(shares.all) == 4


def test_sharing_again_changes_nothing_but_put_does(cloud: NextcloudFiles, shares: NextcloudShares) -> None:
    first = made(cloud)
    assert made(cloud, permissions=1) == first
    answer = ask(cloud, "PUT", f"/{first['id']}", data={"permissions": 1, "expireDate": "2199-01-01"})
    assert answer.json()["ocs"]["data"]["permissions"] == 1
    assert shares.stated() == [("A", USER, "bernd", 1, "2199-01-01")]
    ask(cloud, "DELETE", f"/{first['id']}")
    assert shares.stated() == []


def test_somebody_is_mailed_unless_a_request_says_no(cloud: NextcloudFiles, shares: NextcloudShares) -> None:
    made(cloud)
    made(cloud, shareType=GROUP, shareWith="team", sendMail="false")
    assert shares.mails == 1


def test_twenty_in_a_window(cloud: NextcloudFiles, shares: NextcloudShares) -> None:
    for _ in range(20):
        made(cloud, shareType=LINK)
    refused = ask(cloud, "POST", data={"path": "/A", "shareType": LINK})
    assert (refused.status_code, refused.content) == (429, b"")
    assert "retry-after" not in refused.headers
    shares.window = 0.0
    made(cloud, shareType=LINK)


@pytest.mark.parametrize(
    ("fields", "status"),
    [
        ({"shareWith": "nobody"}, 404),
        ({"shareType": GROUP, "shareWith": "none"}, 404),
        ({"shareWith": "anna"}, 403),
        ({"path": "/"}, 403),
        ({"path": "/none"}, 404),
        ({"path": "/A/b.txt", "permissions": 15}, 400),
        ({"expireDate": "2020-01-01"}, 404),
    ],
)
def test_refusals(
    cloud: NextcloudFiles, shares: NextcloudShares, fields: dict[str, Any], status: int
) -> None:
    given = {"path": "/A", "shareType": USER, "shareWith": "bernd", **fields}
    assert ask(cloud, "POST", data=given).status_code == status
    assert shares.all == []
