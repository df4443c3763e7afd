"""An item that many passes list: each of its lines names the newest, and the verifier agrees."""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import sha256

import pytest
from sealing import DRIVE, KEK, WAVE, Office, office, rows, section, settled
from test_seal_checked import OK, verdict

from ledger.db.rows import LegState, Phase, State
from ledger.leg.leg_session import LegLedger
from ledger.plan.mailboxes import PlannedMailbox
from model.kinds import Kind
from model.protocols import Container, Item, Mapped, Page, Ref, Stored, key_of

__all__ = ["office", "settled"]


def one_pass(session: LegLedger, number: int, listed: Sequence[str]) -> None:
    """Lists, and copies what it lists; "-name" is gone at the source."""
    place = session.record_container(DRIVE).id
    gone = [name[1:] for name in listed if name.startswith("-")]
    here = [name for name in listed if not name.startswith("-")]
    refs = [Ref(name, str(number), size=40) for name in here] + [Ref(name, "", deleted=True) for name in gone]
    session.record_page(place, Page(tuple(refs), str(number)))
    session.close_inventory(KEK)
    keys = [key_of(name) for name in here]
    session.begin(place, keys, ":0")
    session.intend(place, [Mapped(Item(Kind.FILES, key, sha256(key).digest(), 44, bytes)) for key in keys])
    session.settle(place, [Stored(key, key.hex(), "etag") for key in keys])
    leaving = [row.key for row in session.rows(place, (State.LEAVING,))]
    session.withdrawn(place, leaving)
    session.verified(place, keys)


def walked(office: Office, passes: Sequence[Sequence[str]]) -> list[tuple[str, str | None]]:
    """The verdicts of a third mailbox after these passes, sealed and verified."""
    ledger = office.ledger()
    row = PlannedMailbox(
        "carla@old.example", "carla@new.example", WAVE, Phase.STAGING, frozenset({Kind.FILES})
    )
    (number,) = ledger.add_mailboxes([row])
    (leg,) = ledger.legs(mailbox=str(number))
    lease = ledger.claim(leg.id, "worker", 60)
    assert lease is not None
    session = ledger.session(lease, mirror=True)
    for turn, listed in enumerate(passes, 1):
        one_pass(session, turn, listed)
    session.close()
    assert ledger.release(lease, LegState.VERIFIED)
    before = {one["src"] for one in section(office.seal(ledger).pack, "results", Kind.FILES)}
    ledger.close()
    assert before, "there are lines"
    assert verdict(office, office.pack) == OK
    found = section(office.pack, "results", Kind.FILES, str(number))
    return [(one["verdict"], one["rule"]) for one in found]


@pytest.mark.parametrize(
    ("passes", "told"),
    [
        ([["a"], ["a"], ["a"]], ["later 3", "later 3", "match"]),
        ([["a", "b"], ["b"], ["a"]], ["later 3", "later 2", "match", "match"]),
        ([["a"], ["a"], ["a"], ["a"]], ["later 4", "later 4", "later 4", "match"]),
        ([["a", "b"], ["-a", "b"], ["a"]], ["later 3", "later 2", "match", "match"]),
        ([["a", "b"], ["a"], ["-a", "b"], ["a"]], ["later 4", "later 3", "later 4", "match", "match"]),
        ([["a", "b"], ["a"], ["-a", "b"]], ["later 2", "later 3", "withdrawn", "match"]),
    ],
    ids=["in all three", "in 1 and 3", "in all four", "gone and back", "in 1, 2, back in 4", "gone for good"],
)
def test_each_line_names_the_newest_pass(office: Office, passes: list[list[str]], told: list[str]) -> None:
    found = walked(office, passes)
    assert [
        " ".join((verdict, (rule or "").removeprefix("pass "))).strip() for verdict, rule in found
    ] == told


def test_a_pass_that_finds_nothing_but_an_empty_folder_is_sealed(office: Office) -> None:
    """Its header names the folder, with the source's count, and has no line."""
    ledger = office.ledger()
    (leg,) = [one for one in ledger.legs(WAVE) if one.workload is Kind.FILES]
    lease = ledger.claim(leg.id, "worker", 60)
    assert lease is not None
    with ledger.session(lease, mirror=True) as session:
        session.record_container(Container(Kind.FILES, "another", ("Leer",), omit="hidden", total=7))
        assert session.close_inventory(KEK) == 3
    assert ledger.release(lease, LegState.VERIFIED)
    made = office.seal(ledger)
    ledger.close()
    assert verdict(office, made.pack) == OK
    (header,) = [
        row for row in rows(made.pack, "inventory") if (row.get("section"), row.get("pass")) == ("files", 3)
    ]
    assert [(one["total"], one["listed"], one["omit"]) for one in header["folders"]] == [(7, 0, "hidden")]
