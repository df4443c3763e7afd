"""Categories as the colours of App Suite: keywords that Dovecot keeps, and that a second pass finds equal."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from connector_settings import dovecot_settings
from memory.doubles import Marks, MemoryMailbox, MemoryStore
from on_dovecot import OnDovecot
from pydantic import ValidationError
from server_fixtures import dovecot_fixture
from servers.dovecot import Dovecot
from walking import SOURCE, letter

from engine.leg.run import Task
from engine.verify.compare import Level
from ledger.db.rows import LegState
from mappings.fields.flags import keyword
from model.protocols import Loss, Role

pytestmark = pytest.mark.dovecot

COLOURS = {"Rote Kategorie": "red", "Kunde": "light blue", "Eilig": "red"}
dovecot = dovecot_fixture(["anna", "bert"])


def trial(dovecot: Dovecot, path: Path, user: str, **more: Any) -> OnDovecot:
    mailbox = MemoryMailbox(addresses=frozenset({SOURCE}), page=8)
    inbox = mailbox.create_folder(("Inbox",), Role.INBOX)
    for number, categories in enumerate(
        [("ROTE kategorie",), ("Privat",), ("Kunde", "Rote Kategorie"), ("Eilig", "Rote Kategorie"), ()]
    ):
        mailbox.deliver(inbox, letter(number), Marks(categories=categories))
    made = OnDovecot(path, mailbox, MemoryStore())
    made.server, made.user, made.more = dovecot, user, more
    return made


def keywords(made: OnDovecot) -> Counter[frozenset[str]]:
    with made.client() as client:
        client.select_folder("INBOX", readonly=True)
        flags = client.get_flags(client.search())
    return Counter(frozenset(word.decode() for word in each if word[:1] != b"\\") for each in flags.values())


def moved(made: OnDovecot) -> None:
    for task in (Task(Level.BOTH), Task(Level.BOTH), Task(Level.BOTH, copy=False)):
        result = made.run(task=task)
        assert (result.state, result.code) == (LegState.VERIFIED, None), made.findings()


def test_a_category_has_its_colour_and_keeps_its_name(dovecot: Dovecot, quick_path: Path) -> None:
    made = trial(dovecot, quick_path, "anna", category_colours=COLOURS)
    moved(made)
    red, client, urgent = map(keyword, ("Rote Kategorie", "Kunde", "Eilig"))
    both: list[set[str]] = [{"$cl_9", client, red}, {"$cl_1", urgent, red}]
    expected = [{"$cl_1", red}, {"privat"}, *both, set()]
    assert keywords(made) == Counter(map(frozenset, expected))
    (leg,) = made.ledger.legs()
    lost = [loss for _, _, loss in made.ledger.losses(leg.id)]
    assert lost == [Loss("categories", "colour-not-kept")], "of the message whose categories have two colours"
    (message,) = [one for _, one in made.mailbox.messages() if one.marks.categories == ("Privat",)]
    made.mailbox.mark(message.id, Marks(categories=("Kunde",)))
    moved(made)
    assert frozenset({"$cl_9", client}) in keywords(made), "a change of the category is brought, too"


def test_without_colours_all_is_as_before(dovecot: Dovecot, quick_path: Path) -> None:
    made = trial(dovecot, quick_path, "bert")
    moved(made)
    assert not [word for words in keywords(made) for word in words if word.startswith("$cl_")]
    assert not list(made.ledger.losses(made.ledger.legs()[0].id))


@pytest.mark.parametrize(
    ("colours", "why"),
    [
        ({"Kunde": "crimson"}, "not a colour of App Suite; there are: red, blue"),
        ({"Kunde": "red", "KUNDE": "blue"}, "two categories differ in case only"),
        ({" ": "red"}, "a category has a name"),
    ],
)
def test_colours_that_cannot_be_are_refused(tmp_path: Path, colours: dict[str, str], why: str) -> None:
    with pytest.raises(ValidationError, match=why):
        dovecot_settings(Dovecot(tmp_path), tmp_path, category_colours=colours)
