"""With whom files are shared, sites and their libraries, and what both cost."""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path

import pytest
from graph_drive_desk import Desk, desk, fetched, folders, read

from connectors.graph.source import GraphSource
from connectors.graph_api import collections as graph_collections
from connectors.graph_api.batch import BatchReader, BatchReply
from connectors.graph_api.client import GraphClient
from connectors.graph_api.errors import GraphRefusal
from model.errors import Blocked
from model.optional_protocols import Grant, Sharing, SupportsGrants
from model.protocols import Native, Role
from practice.drive.drive_population import Tree, shares
from practice.drive.drive_shares import Grantee, Party, Permission, Scope, guest, link, site_group, user
from practice.drive.sites import HOST
from practice.graph.users import user_id

SITE = f"https://{HOST}/sites/bauamt"


@pytest.fixture
def source(one_desk: Desk) -> Iterator[GraphSource]:
    opened = one_desk.source()
    yield opened
    opened.close()


def granted(source: GraphSource, desk: Desk) -> dict[str, tuple[Grant, ...]]:
    """By name, of the whole drive."""
    found: dict[str, tuple[Grant, ...]] = {}
    for container in folders(source).values():
        for id_, grants in source.grants(container):
            found[desk.drive.nodes[id_.rpartition("/")[2]].name] = grants
    return found


def test_every_kind_of_permission_is_told(source: GraphSource, one_desk: Desk) -> None:
    people = one_desk.service.drives.world.people
    for name, permissions in shares(people).items():
        one_desk.drive.share(one_desk.drive.write(one_desk.drive.root, name, b"x"), *permissions)
    one, other = people.at(1).address, people.at(2).address
    home = "site:" + one_desk.drive.web.partition("//")[2].replace("/", ":/", 1).rpartition("/")[0].lower()
    until = datetime(2031, 2, 3, 4, 5, 6, tzinfo=UTC)
    assert isinstance(source, SupportsGrants)
    assert granted(source, one_desk) == {
        "mit Person.txt": (Grant(Sharing.USER, one),),
        "mit Person ohne Adresse.txt": (Grant(Sharing.USER, one, write=True),),
        "mit Gruppe.txt": (Grant(Sharing.GROUP, "bauamt@practice.example", write=True),),
        "mit Websitegruppe.txt": (
            Grant(Sharing.GROUP, f"{home}:Besitzer", write=True),
            Grant(Sharing.GROUP, f"{home}:Besucher"),
        ),
        "mit Gast.txt": (
            Grant(Sharing.EXTERNAL, "gast@firma.example", write=True),
            Grant(Sharing.EXTERNAL, "zweiter@firma.example"),
        ),
        "für alle.txt": (Grant(Sharing.LINK, everyone=True),),
        "für alle, befristet.txt": (
            Grant(Sharing.LINK, write=True, expires=until, password=True, everyone=True),
        ),
        "im Haus.txt": (Grant(Sharing.LINK, write=True),),
        "Link für Personen.txt": (
            Grant(Sharing.EXTERNAL, "gast@firma.example", write=True),
            Grant(Sharing.USER, other, write=True),
        ),
    }


def test_what_is_inherited_is_told_where_it_was_given(source: GraphSource, one_desk: Desk) -> None:
    drive = one_desk.drive
    one = one_desk.service.drives.world.people.at(1).address
    folder = drive.folder(drive.root, "Projekt")
    drive.share(folder, user(one))
    drive.write(drive.folder(folder, "unten"), "geerbt.txt", b"x")
    drive.share(drive.write(folder, "auch.txt", b"x"), guest("gast@firma.example"))
    assert granted(source, one_desk) == {
        "Projekt": (Grant(Sharing.USER, one),),
        "auch.txt": (Grant(Sharing.EXTERNAL, "gast@firma.example"),),
    }
    assert one_desk.server.requests["ListPermissions"] == 2, "only what has permissions of its own is asked"


def test_somebody_of_another_domain_is_external_unless_the_directory_knows_them(
    source: GraphSource, one_desk: Desk
) -> None:
    drive = one_desk.drive
    stranger = Grantee(Party.USER, "Ben", "ben@elsewhere.example")
    drive.share(drive.write(drive.root, "x", b"x"), link(Scope.USERS, stranger))
    assert granted(source, one_desk) == {"x": (Grant(Sharing.EXTERNAL, "ben@elsewhere.example"),)}
    granted(source, one_desk)
    assert one_desk.server.requests["GetUser"] <= 2, "the directory is asked once about each"


def test_what_is_no_longer_shared_has_no_grants(source: GraphSource, one_desk: Desk) -> None:
    file = one_desk.drive.write(one_desk.drive.root, "x", b"x")
    one_desk.drive.share(file, user("a@practice.example"))
    assert granted(source, one_desk)
    one_desk.drive.unshare(file)
    assert granted(source, one_desk) == {}


def test_a_person_is_who_has_the_object_id_not_the_address_of_back_then(
    source: GraphSource, one_desk: Desk
) -> None:
    people, drive = one_desk.service.drives.world.people, one_desk.drive
    renamed, heir = people.at(1), people.at(2)
    known = Grantee(Party.USER, renamed.name, heir.address, id=user_id(people.seed, renamed.index))
    left = Grantee(Party.USER, "Weg", heir.address, id=str(uuid.UUID(int=7)))
    drive.share(drive.write(drive.root, "x", b"x"), Permission(("read",), known))
    drive.share(drive.write(drive.root, "y", b"y"), link(Scope.USERS, left, known))
    assert granted(source, one_desk) == {
        "x": (Grant(Sharing.USER, renamed.address),),
        "y": (Grant(Sharing.USER, left.id), Grant(Sharing.USER, renamed.address)),
    }


def test_the_directory_is_asked_once_about_each(source: GraphSource, one_desk: Desk) -> None:
    people, drive = one_desk.service.drives.world.people, one_desk.drive
    for number in range(people.count):
        drive.share(drive.write(drive.root, f"{number}.txt", b"x"), user(people.at(number).address))
    asked = {grant.who for grants in granted(source, one_desk).values() for grant in grants}
    assert asked == {people.at(number).address for number in range(people.count)} - {one_desk.login}
    granted(source, one_desk)
    assert one_desk.server.requests["GetUser"] == people.count, "the owner, and each of the others"


def test_who_has_a_folder_above_and_less_below_is_told(source: GraphSource, one_desk: Desk) -> None:
    people, drive = one_desk.service.drives.world.people, one_desk.drive
    one, two = people.at(1).address, people.at(2).address
    box = drive.folder(drive.root, "Amt")
    drive.share(box, user(one, write=True), user(two))
    middle = drive.folder(box, "Mitte")
    for name, permissions in {
        "alle.txt": (user(one, write=True), user(two)),
        "einer.txt": (user(one, write=True),),
        "liest.txt": (user(one), user(two)),
        "keiner.txt": (),
    }.items():
        file = drive.write(middle, name, b"x")
        drive.part(file)
        drive.share(file, *permissions)
    drive.share(drive.write(middle, "mehr.txt", b"x"), user(two, write=True))
    alone = drive.folder(box, "Personal")
    drive.part(alone)
    less, told = Grant(Sharing.LESS), granted(source, one_desk)
    assert {name: grants[-1] for name, grants in told.items() if less in grants} == dict.fromkeys(
        ("einer.txt", "liest.txt", "keiner.txt", "Personal"), less
    )
    assert told["mehr.txt"] == (Grant(Sharing.USER, two, write=True),)
    assert told["Personal"] == told["keiner.txt"] == (less,)


@pytest.mark.parametrize(
    "refusal", [GraphRefusal(500, "generalException"), GraphRefusal(403, "accessDenied")]
)
def test_one_item_that_does_not_tell_stops_nobody(
    source: GraphSource, one_desk: Desk, monkeypatch: pytest.MonkeyPatch, refusal: GraphRefusal
) -> None:
    drive, one = one_desk.drive, one_desk.service.drives.world.people.at(1).address
    box = drive.folder(drive.root, "Amt")
    files = [drive.write(box, name, b"x") for name in ("a", "b")]
    for node in (box, *files):
        drive.share(node, user(one))

    class Refusing(BatchReader):
        def run(self, asks: Mapping[str, str]) -> Iterator[tuple[str, BatchReply | GraphRefusal]]:
            for name, outcome in super().run(asks):
                yield name, refusal if name in {box.id, files[0].id} else outcome

    monkeypatch.setattr(graph_collections, "BatchReader", Refusing)
    untold, told = (Grant(Sharing.UNTOLD),), (Grant(Sharing.USER, one),)
    assert granted(source, one_desk) == {"Amt": untold, "a": untold, "b": told}


def test_a_drive_that_cannot_be_read_is_no_item_s_fault(
    source: GraphSource, one_desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    drive = one_desk.drive
    drive.share(drive.write(drive.root, "x", b"x"), user(one_desk.login))
    (container,) = folders(source).values()

    class Refusing(BatchReader):
        def run(self, asks: Mapping[str, str]) -> Iterator[tuple[str, BatchReply | GraphRefusal]]:
            yield from ((name, GraphRefusal(500, "generalException")) for name in asks)

    def away(*_given: object) -> None:
        raise GraphRefusal(403, "accessDenied")

    monkeypatch.setattr(graph_collections, "BatchReader", Refusing)
    monkeypatch.setattr(GraphClient, "get", away)
    with pytest.raises(Blocked, match="access-denied"):
        list(source.grants(container))


def test_of_a_site_everybody_has_the_root(one_desk: Desk) -> None:
    people = one_desk.service.drives.world.people
    library = one_desk.service.drives.site("sites/bauamt").libraries[0]
    library.share(library.root, site_group("Mitglieder", "write"))
    alone = library.write(library.folder(library.root, "Zwischen"), "Akte.txt", b"x")
    library.part(alone)
    library.share(alone, user(people.at(1).address))
    source = one_desk.source(library.web)
    told = {id_: grants for one in source.containers() for id_, grants in source.grants(one)}
    group = Grant(Sharing.GROUP, f"site:{HOST}:/sites/bauamt:Mitglieder", write=True)
    assert told[f"{library.id}/{library.root.id}"] == (group,)
    assert told[f"{library.id}/{alone.id}"] == (
        Grant(Sharing.USER, people.at(1).address),
        Grant(Sharing.LESS),
    )
    source.close()


def test_a_site_has_all_its_libraries_none_of_which_is_the_root(one_desk: Desk) -> None:
    source = one_desk.source(SITE)
    site = one_desk.service.drives.site("sites/bauamt")
    assert (source.identity().id, source.identity().addresses) == (site.id, frozenset())
    found = list(source.containers())
    assert [one.path for one in found if len(one.path) == 1] == [(one.name,) for one in site.libraries]
    assert not any(one.role for one in found)
    results = [result for one in found for result in fetched(source, one).values()]
    assert len(results) == 24
    assert all(isinstance(result, Native) and read(result) for result in results)
    source.close()


def test_a_library_alone_is_the_root_of_its_target(one_desk: Desk) -> None:
    library = one_desk.service.drives.site("sites/bauamt").libraries[0]
    for login in (
        library.web,
        f"{SITE}/Freigegebene Dokumente/",
        library.web.upper().replace("HTTPS", "https"),
    ):
        source = one_desk.source(login)
        found = list(source.containers())
        assert (found[0].path, found[0].role) == (("Freigegebene Dokumente",), Role.FILES)
        assert {one.id.rpartition("/")[0] for one in found} == {library.id}
        source.close()


@pytest.mark.parametrize(
    ("login", "expected"),
    [
        (f"{SITE}/Nirgends", "library-missing"),
        (f"https://{HOST}/sites/nirgends", "site-missing"),
        ("https://elsewhere.example/sites/bauamt", "site-missing"),
    ],
)
def test_a_site_or_library_that_is_not_there_blocks(one_desk: Desk, login: str, expected: str) -> None:
    source = one_desk.source(login)
    with pytest.raises(Blocked, match=expected) as caught:
        list(source.containers())
    assert "bauamt" not in str(caught.value)
    source.close()


def test_resource_units_are_waited_for(one_desk: Desk) -> None:
    one_desk.drive.write(one_desk.drive.root, "x", b"x")
    one_desk.service.units.a_minute = 4
    one_desk.service.units.window = 1.0
    source = one_desk.source(patience_seconds=30)
    assert len(fetched(source, folders(source)[()])) == 1
    assert one_desk.service.units.refused
    source.close()


def test_trees_are_read_as_they_are_large_or_small(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with desk(tmp_path, monkeypatch, Tree(files=0, depth=250)) as opened:
        source = opened.source(page_items=200)
        deepest = max(folders(source), key=len)
        assert len(deepest) == 251
        source.close()
