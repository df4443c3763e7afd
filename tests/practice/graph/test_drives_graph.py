"""The practice drives over Graph: as a bare client sees them."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from graph_asking import GraphAsker, asking_graph
from servers.faulty import plan as faults
from servers.faulty.downloads import FaultyDrives, Hurt
from servers.faulty.graph import FaultyGraph
from servers.faulty.plan import FaultPlan

from practice.drive.drive import Drive, Node
from practice.drive.drive_population import Tree
from practice.drive.drives import Drives
from practice.drive.quickxor import quickxor_text
from practice.drive.sites import HOST
from practice.graph.tokens import App
from practice.graph.units import Units
from practice.world.world import World

URL = "@microsoft.graph.downloadUrl"
DATA = bytes(range(250)) * 40


@pytest.fixture
def service() -> FaultyDrives:
    world = World(seed=5, people=3, items=0, nasty=False)
    return FaultyDrives(Drives(world, Tree(files=20, nasty=False)))


@pytest.fixture
def asker(service: FaultyDrives) -> Iterator[GraphAsker]:
    world = service.drives.world
    with FaultyGraph(world, services=[service]) as server, asking_graph(server, world.addresses()[0]) as one:
        yield one


@pytest.fixture
def drive(asker: GraphAsker, service: FaultyDrives) -> Drive:
    return service.drives.of(asker.user)


@pytest.fixture
def file(drive: Drive) -> Node:
    return drive.write(drive.folder(drive.root, "Neu"), "daten.bin", DATA)


def below(asker: GraphAsker, drive: Drive, path: str) -> str:
    return f"{asker.server.url}/drives/{drive.id}/{path}"


def row(asker: GraphAsker, drive: Drive, node: Node) -> dict[str, Any]:
    return asker.json(below(asker, drive, f"items/{node.id}"))


def changed(asker: GraphAsker, link: str) -> dict[str, dict[str, Any]]:
    """By id, the last row about each."""
    return {one["id"]: one for one in asker.round(link)[0]}


def test_a_person_has_a_drive(asker: GraphAsker, drive: Drive) -> None:
    found = asker.json("drive")
    assert (found["id"], found["driveType"], found["name"]) == (drive.id, "business", "OneDrive")
    assert found["owner"]["user"]["email"] == asker.user
    assert [one["id"] for one in asker.all("drives")] == [drive.id]
    assert asker.json(below(asker, drive, "root"))["root"] == {}


def test_a_person_may_have_none(asker: GraphAsker, service: FaultyDrives) -> None:
    service.drives.without.add(asker.user)
    assert asker.code("drive") == (404, "ResourceNotFound")


def test_delta_names_everything_page_by_page(asker: GraphAsker, drive: Drive) -> None:
    link = below(asker, drive, "root/delta?$top=7&$select=id,name,parentReference,file")
    rows, _ = asker.round(link)
    found = {one["id"]: one for one in rows}
    assert found.keys() == {drive.root.id, *(node.id for node in drive.root.walk())}
    assert len(rows) > len(found), "an item may come more than once"
    assert "root" not in rows[0]
    assert not any("size" in one or "path" in one["parentReference"] for one in rows)
    hashed = [one for one in rows if "file" in one]
    assert all(one["file"]["hashes"]["quickXorHash"] for one in hashed)


def test_delta_tells_what_changed_and_what_is_gone(asker: GraphAsker, drive: Drive, file: Node) -> None:
    above = file.parent
    assert above is not None
    other = drive.write(drive.root, "geht", b"1")
    _, link = asker.round(below(asker, drive, "root/delta"))
    assert changed(asker, link) == {}
    drive.rename(above, "Anders")
    drive.delete(other)
    found = changed(asker, link)
    assert found.keys() == {drive.root.id, above.id, other.id}, "not the file in the renamed folder"
    assert found[other.id]["deleted"] == {"state": "deleted"}
    assert "name" not in found[other.id]
    assert found[other.id]["parentReference"]["id"] == drive.root.id


def test_the_latest_token_tells_only_what_comes(asker: GraphAsker, drive: Drive) -> None:
    rows, link = asker.round(below(asker, drive, "root/delta?token=latest"))
    assert rows == []
    new = drive.write(drive.root, "neu", b"1")
    assert changed(asker, link).keys() == {drive.root.id, new.id}


def test_a_lost_token_says_where_to_begin_anew(asker: GraphAsker, drive: Drive) -> None:
    _, link = asker.round(below(asker, drive, "root/delta"))
    drive.lose_tokens()
    answer = asker.get(link)
    assert answer.status_code == 410
    assert answer.json()["error"]["code"] == "resyncChangesApplyDifferences"
    rows, after = asker.round(answer.headers["Location"])
    assert len({one["id"] for one in rows}) == len(list(drive.root.walk())) + 1
    plan = asker.server.faults = FaultPlan()
    plan.script("DriveDelta", 1, faults.invalid_sync_state())
    assert asker.get(after).status_code == 410
    assert asker.get(after).status_code == 200


def test_an_address_gives_the_bytes_to_whom_shows_no_token(
    asker: GraphAsker, drive: Drive, file: Node
) -> None:
    found = row(asker, drive, file)
    assert (found["size"], found["file"]["hashes"]["quickXorHash"]) == (
        len(DATA),
        quickxor_text(len(DATA), [(0, DATA)]),
    )
    answer = asker.client.get(found[URL])
    assert (answer.status_code, answer.content, answer.headers["ETag"]) == (200, DATA, found["eTag"])
    refused = asker.client.get(found[URL], headers={"Authorization": f"Bearer {asker.token}"})
    assert refused.status_code == 401
    moved = asker.get(below(asker, drive, f"items/{file.id}/content"))
    assert moved.status_code == 302
    assert asker.client.get(moved.headers["Location"]).content == DATA


def test_an_address_serves_ranges_of_what_is_unchanged(asker: GraphAsker, drive: Drive, file: Node) -> None:
    found = row(asker, drive, file)
    url, tag = found[URL], found["eTag"]
    part = asker.client.get(url, headers={"Range": "bytes=100-", "If-Range": tag})
    assert (part.status_code, part.content) == (206, DATA[100:])
    assert part.headers["Content-Range"] == f"bytes 100-{len(DATA) - 1}/{len(DATA)}"
    assert asker.client.get(url, headers={"Range": "bytes=5-9"}).content == DATA[5:10]
    assert asker.client.get(url, headers={"Range": f"bytes={len(DATA)}-"}).status_code == 416
    assert file.parent is not None
    drive.write(file.parent, file.name, b"new")
    whole = asker.client.get(url, headers={"Range": "bytes=1-", "If-Range": tag})
    assert (whole.status_code, whole.content) == (200, b"new")


def test_an_address_ends(asker: GraphAsker, service: FaultyDrives, drive: Drive, file: Node) -> None:
    url = row(asker, drive, file)[URL]
    service.downloads.expire()
    assert asker.client.get(url).status_code == 401
    service.downloads.seconds = -1
    assert asker.client.get(row(asker, drive, file)[URL]).status_code == 401


def test_downloads_go_wrong_as_told(
    asker: GraphAsker, service: FaultyDrives, drive: Drive, file: Node
) -> None:
    url = row(asker, drive, file)[URL]
    service.downloads.strike(file, Hurt.PAGE, Hurt.SHORT, Hurt.WRONG, Hurt.BUSY, Hurt.GATEWAY, Hurt.CUT)
    page = asker.client.get(url)
    assert (page.status_code, page.headers["Content-Type"][:9]) == (200, "text/html")
    assert asker.client.get(url).content == DATA[: len(DATA) // 2]
    wrong = asker.client.get(url).content
    assert (len(wrong), wrong[1:], wrong[0]) == (len(DATA), DATA[1:], DATA[0] ^ 1)
    assert [asker.client.get(url).status_code for _ in range(2)] == [429, 504]
    with pytest.raises(httpx.RemoteProtocolError):
        asker.client.get(url)
    service.downloads.strike(file, (Hurt.CUT, Hurt.VOID))
    with pytest.raises(httpx.RemoteProtocolError):
        asker.client.get(url)
    assert asker.client.get(url).status_code == 401
    drive.infect(file)
    infected = asker.client.get(row(asker, drive, file)[URL])
    assert (infected.status_code, infected.headers["X-Virus-Infected"]) == (403, "Practice/EICAR")


def test_a_plan_hurts_downloads_too(
    asker: GraphAsker, service: FaultyDrives, drive: Drive, file: Node
) -> None:
    plan = service.downloads.faults = FaultPlan()
    plan.script("Download", 1, faults.error_page())
    url = row(asker, drive, file)[URL]
    assert b"went wrong" in asker.client.get(url).content
    assert asker.client.get(url).content == DATA


def test_versions_and_their_bytes(asker: GraphAsker, drive: Drive, file: Node) -> None:
    assert file.parent is not None
    drive.write(file.parent, file.name, b"two")
    drive.write(file.parent, file.name, b"three")
    path = f"items/{file.id}/versions"
    found = asker.all(below(asker, drive, path))
    assert [(one["id"], one["size"]) for one in found] == [("3.0", 5), ("2.0", 3), ("1.0", len(DATA))]
    answer = asker.get(below(asker, drive, f"{path}/2.0/content"))
    assert (answer.status_code, asker.client.get(answer.headers["Location"]).content) == (302, b"two")
    for number, status in (("3.0", 400), ("9.0", 404)):
        assert asker.get(below(asker, drive, f"{path}/{number}/content")).status_code == status


def test_permissions_are_own_or_inherited(asker: GraphAsker, service: FaultyDrives) -> None:
    drives = Drives(service.drives.world)
    service.drives = drives
    drive = drives.of(asker.user)
    node = drive.at("Geteilt", "Projekt", "auch für Gäste.txt")
    own, inherited, owner = asker.all(below(asker, drive, f"items/{node.id}/permissions"))
    assert "#ext#" in own["grantedToV2"]["siteUser"]["loginName"]
    assert "inheritedFrom" not in own
    assert inherited["inheritedFrom"]["id"] == node.parent.id if node.parent else ""
    assert owner["roles"] == ["owner"]
    until = drive.at("Geteilt", "für alle, befristet.txt")
    (first, _) = asker.all(below(asker, drive, f"items/{until.id}/permissions"))
    assert (first["link"]["scope"], first["link"]["type"], first["hasPassword"]) == (
        "anonymous",
        "edit",
        True,
    )
    assert first["expirationDateTime"] == "2031-02-03T04:05:06Z"


def test_delta_tells_who_is_shared_by_itself_where_that_is_preferred(
    asker: GraphAsker, service: FaultyDrives
) -> None:
    service.drives = Drives(service.drives.world)
    drive = service.drives.of(asker.user)
    below_it = drive.at("Geteilt", "Projekt", "geerbt", "geerbt.txt")
    link = below(asker, drive, "root/delta")
    plain, own = (
        {one["id"]: one for one in asker.all(link, prefer)} for prefer in (None, "hierarchicalsharing")
    )
    project = drive.at("Geteilt", "Projekt").id
    assert plain[project]["shared"] == own[project]["shared"] == {"scope": "users"}
    assert "shared" in plain[below_it.id]
    assert "shared" not in own[below_it.id]


def test_sites_lead_to_their_libraries(asker: GraphAsker, service: FaultyDrives) -> None:
    site = asker.json(f"{asker.server.url}/sites/{HOST}:/sites/bauamt")
    assert site["displayName"] == "Bauamt"
    rows = asker.all(f"{asker.server.url}/sites/{site['id']}/drives")
    assert [(one["name"], one["driveType"]) for one in rows] == [
        ("Freigegebene Dokumente", "documentLibrary"),
        ("Bauakten", "documentLibrary"),
    ]
    assert asker.json(f"{asker.server.url}/sites/{site['id']}/drive")["id"] == rows[0]["id"]
    assert asker.code(f"{asker.server.url}/sites/{HOST}:/sites/nowhere") == (404, "itemNotFound")


def test_a_web_address_leads_to_its_item(asker: GraphAsker, drive: Drive, file: Node) -> None:
    for node in (file, drive.root):
        web = row(asker, drive, node)["webUrl"] + "?web=1"
        share = "u!" + base64.urlsafe_b64encode(web.encode()).decode().rstrip("=")
        assert asker.json(f"{asker.server.url}/shares/{share}/driveItem")["id"] == node.id
    lost = "u!" + base64.urlsafe_b64encode(b"https://elsewhere.example/x").decode().rstrip("=")
    assert asker.code(f"{asker.server.url}/shares/{lost}/driveItem") == (404, "itemNotFound")


def test_an_app_pays_for_what_it_asks(asker: GraphAsker, service: FaultyDrives, drive: Drive) -> None:
    service.units = Units(a_minute=8)
    asker.json(below(asker, drive, "root/delta"))
    asker.json(below(asker, drive, f"items/{drive.root.id}/permissions"))
    asker.json(below(asker, drive, "root/children"))
    answer = asker.get(below(asker, drive, "root"))
    assert answer.status_code == 429
    assert 0 < int(answer.headers["Retry-After"]) <= 61
    assert service.units.spent.total() == 9


def test_nothing_is_told_without_permission(asker: GraphAsker, drive: Drive) -> None:
    asker.server.entra.add(App("mail-only", "s", frozenset({"Mail.Read"})))
    token = asker.server.entra.issue("mail-only")
    assert asker.get(below(asker, drive, "root"), token=token).status_code == 403
