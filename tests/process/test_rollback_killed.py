"""`kill -9` of the real `kogge rollback --execute` in the middle, again and again: in the end what is gone is
exactly what Kogge wrote, and what people did meanwhile is there."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
from imapclient import IMAPClient
from proving import Done, Place, Running, Seen, accounted, until
from servers.dovecot import Dovecot
from slow_line import Line
from walking import letter

from ledger.db.rows import State
from practice.exchange.server import ExchangeServer
from practice.servers.dovecot import USER_PASSWORD

pytestmark = [pytest.mark.dovecot, pytest.mark.prefect]
MakePlace = Callable[[ExchangeServer], Place]
WORDS = ("--execute", "--by", "A. Auditor", "--reason", "the wrong people")
BYTES_MOST = 4_000
"""What one connection of a rollback sends of so few mails is a little more."""

OWN = "Eigenes"


@contextmanager
def as_user(dovecot: Dovecot, user: str) -> Iterator[IMAPClient]:
    with IMAPClient(dovecot.host, dovecot.port, ssl=False) as client:
        client.login(user, USER_PASSWORD)
        yield client


def folders(dovecot: Dovecot, user: str) -> set[str]:
    with as_user(dovecot, user) as client:
        return {name for _, _, name in client.list_folders()}


def of(place: Place, dovecot: Dovecot, user: str) -> Counter[Seen]:
    return Place.seen(_only(place, user), dovecot)


def _only(place: Place, user: str) -> Place:
    pairs = {source: target for source, target in place.pairs.items() if target == user}
    return Place(
        place.directory,
        place.exchange,
        place.host,
        place.port,
        pairs,
        place.environment,
        started=place.started,
    )


def works(dovecot: Dovecot, user: str) -> None:
    """They have mail and a folder of their own, and file something of ours there."""
    with as_user(dovecot, user) as client:
        client.create_folder(OWN)
        client.append("INBOX", letter(900), [b"\\Flagged"])
        client.append(OWN, letter(901), [])
        client.select_folder("INBOX")
        client.move([min(client.search("UNFLAGGED"))], OWN)
        client.add_flags([max(client.search("UNFLAGGED"))], [b"\\Answered"])


def killed(place: Place, line: Line, dice: random.Random, whose: tuple[str, ...]) -> Done | None:
    """Kills a rollback when one of its connections has sent so many bytes. How it ended, where none did."""
    line.hold_after(dice.randint(100, BYTES_MOST))
    with place.running("rollback", *whose, *WORDS, "--json") as running:
        if not until(lambda: line.held is not None, running):
            return running.end()
        Running.kill(running)
    return None


@pytest.fixture
def line(dovecot: Dovecot) -> Iterator[Line]:
    with Line(dovecot.host, dovecot.port) as line:
        yield line


@pytest.mark.parametrize("seed", [7, pytest.param(8, marks=pytest.mark.soak)])
@pytest.mark.timeout(600)
def test_what_is_gone_is_exactly_ours(
    make_place: MakePlace, exchange: ExchangeServer, dovecot: Dovecot, line: Line, seed: int
) -> None:
    place = make_place(exchange)
    place.port = line.port
    place.configure()
    first, second, third = place.pairs.values()
    there = {user: folders(dovecot, user) for user in place.pairs.values()}
    done = place.migrate()
    assert done.code == 0, done
    ours = {user: of(place, dovecot, user) for user in place.pairs.values()}
    works(dovecot, first)
    used = of(place, dovecot, first)
    theirs = Counter({one: count for one, count in used.items() if one[0] == OWN or b"\\flagged" in one[2]})
    theirs -= ours[first]  # of ours some have a flag, too
    assert theirs.total() == 3

    dice, whose = random.Random(seed), ("-m", first, "-m", second)
    middle = doubtful = 0
    ended = None
    while ended is None and (middle < 2 or not doubtful):
        ended = killed(place, line, dice, whose)
        left = of(place, dovecot, first) + of(place, dovecot, second)
        middle += theirs.total() < left.total() < used.total() + ours[second].total()
        doubtful += place.states()[State.WRITING] > 0
    line.limit = None
    line.release()  # what the dead had sent arrives while the next one works
    while ended is None or ended.code != 0:
        ended = place.run("rollback", *whose, *WORDS, "--json")
    assert middle, "none was killed in the middle"
    assert doubtful, "none was killed while the ledger did not know what is gone"
    assert place.states()[State.WRITING] == 0

    assert of(place, dovecot, first) == theirs
    assert of(place, dovecot, second) == Counter()
    assert of(place, dovecot, third) == ours[third]
    assert folders(dovecot, first) == there[first] | {OWN}
    assert folders(dovecot, second) == there[second]
    legs = place.legs()
    assert [legs[user] for user in (first, second)] == [("blocked", "rolled-back", None)] * 2
    assert place.run("log", "pilot").code == 0, "its chain is whole"
    assert place.run("approve", "target-not-empty", "-m", first, *WORDS[1:]).code == 0
    assert place.run("retry", "--wave", "pilot").code == 0
    again = place.migrate()
    assert again.code == 0, again
    accounted(place)
    assert of(place, dovecot, second) == ours[second]
    assert of(place, dovecot, first) - theirs == ours[first]
