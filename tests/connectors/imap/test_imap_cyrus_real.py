"""The same habits on a real Cyrus, where one is given: see servers.cyrus."""

from __future__ import annotations

import io
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from imap_script import Settings, item
from servers.cyrus import VARIABLE, CyrusServer, root, start_cyrus

from connectors.imap.keywords import NOT_TAKEN
from connectors.imap.source import ImapSource
from connectors.imap.target import ImapTarget
from connectors.settings import Account
from mappings.fields.look_alikes import harmless
from model.errors import Rejected
from model.kinds import Kind
from model.protocols import Amendment, Container, Item, Stored

pytestmark = pytest.mark.skipif(root() is None, reason=f"no unpacked Cyrus: {VARIABLE} names none")
TAKEN = 100
REFUSED = ('quote"d', "back\\slash", "100%", "Dr. A & C%", "a<b>", "a;b", "a!b", "a`b", "^a", "a|b", "{a}")


@pytest.fixture(scope="module")
def cyrus() -> Iterator[CyrusServer]:
    place = Path(tempfile.mkdtemp(prefix="cy-"))
    found = root()
    assert found is not None
    server = start_cyrus(found, place, ["anna", "bert"])
    client = server.admin()
    client.create("Firmenweit")
    client.setacl("Firmenweit", "anyone", "lrsip")
    client.append("Firmenweit", None, None, b"From: a@b.example\r\n\r\nfor all\r\n")
    client.logout()
    yield server
    server.stop()
    shutil.rmtree(place, ignore_errors=True)


@pytest.fixture
def anna(cyrus: CyrusServer, settings: Settings, tmp_path: Path) -> Iterator[ImapTarget]:
    opened = ImapTarget(settings(cyrus.port), Account(login="anna"), lambda: None, tmp_path)
    yield opened
    opened.close()


def test_ids_stay_and_shared_folders_are_others(
    cyrus: CyrusServer, anna: ImapTarget, settings: Settings, tmp_path: Path
) -> None:
    for number in range(30):
        anna.ensure(Container(Kind.MAIL, str(number), (f"Folder {number}",)))
    source = ImapSource(settings(cyrus.port), Account(login="anna"), tmp_path)
    listings = [{one.path: (one.id, one.omit) for one in source.containers()} for _ in range(5)]
    assert all(one == listings[0] for one in listings)
    assert {path for path, (_, omit) in listings[0].items() if omit} == {("Firmenweit",)}
    assert len({id_ for id_, _ in listings[0].values()}) == len(listings[0])
    assert source.identity() == anna.identity()
    assert ("Firmenweit",) not in {one.path for one in anna.containers()}
    source.close()


def mail(number: int) -> Item:
    raw = b"From: a@b.example\r\n\r\nbody\r\n"
    return replace(item(number), size=len(raw), body=lambda: io.BytesIO(raw))


def test_keywords_beyond_the_limit_are_left_out(anna: ImapTarget) -> None:
    href = anna.ensure(Container(Kind.MAIL, "k", ("Keywords",)))
    given = [replace(mail(n), flags=frozenset({f"k{n}", "\\Seen"})) for n in range(1, TAKEN + 21)]
    results = [one for one in anna.write(href, given) if isinstance(one, Stored)]
    assert len(results) == len(given)
    fewer = [one for one in results if one.flags is not None]
    assert [(one.flags, one.losses) for one in fewer] == [(frozenset({"\\Seen"}), (NOT_TAKEN,))] * 20
    (amended,) = anna.amend(href, [Amendment(results[0], frozenset({"\\Flagged", "another"}))])
    assert isinstance(amended, Stored)
    assert (amended.flags, amended.losses) == (frozenset({"\\Flagged"}), (NOT_TAKEN,))
    flags = {one.href: one.flags for one in anna.listing(href)}
    assert "\\Flagged" in flags[results[0].href]


@pytest.mark.parametrize("name", REFUSED)
def test_a_refused_name_has_look_alikes_that_are_taken(anna: ImapTarget, name: str) -> None:
    with pytest.raises(Rejected, match="name-not-allowed"):
        anna.ensure(Container(Kind.MAIL, name, (name,)))
    first, *_ = harmless(name)
    assert anna.ensure(Container(Kind.MAIL, first, (first,))).endswith(first)


def test_the_first_second_of_1970_is_no_date_and_the_next_is(anna: ImapTarget) -> None:
    """0 is stored as the moment of the APPEND; the mapping gives what a target states as its oldest date."""
    assert anna.capabilities.oldest_date == 1
    href = anna.ensure(Container(Kind.MAIL, "d", ("Dates",)))
    given = [replace(mail(n), date=datetime.fromtimestamp(n, UTC)) for n in range(3)]
    assert all(isinstance(one, Stored) for one in anna.write(href, given))
    now, *others = [one.date for one in anna.listing(href)]
    assert now is not None
    assert now > datetime(2026, 1, 1, tzinfo=UTC)
    assert others == [one.date for one in given[1:]]


def test_a_new_folder_has_the_rights_of_the_inbox(cyrus: CyrusServer, anna: ImapTarget) -> None:
    assert not anna.readers(None).open
    client = cyrus.admin()
    client.setacl("user/anna", "bert", "lrs")
    made = anna.ensure(Container(Kind.MAIL, "d", ("Delegated",)))
    found = anna.readers([made, "INBOX"])
    client.deleteacl("user/anna", "bert")
    client.logout()
    assert found.open == {made, "INBOX"}
    assert not found.untold
