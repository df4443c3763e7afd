"""What servers call things: any text, and what is no text, from the source to the ledger and the target."""

from __future__ import annotations

import base64
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from memory.doubles import MemoryMailbox, MemoryStore
from walking import SOURCE, Trial, letter

from connectors.imap.folders import RAW, ImapFolder, decoded, encoded
from engine.files.shares import digest_of, party_of
from ledger.db.encoding import pack_id, pack_path, unpack_id, unpack_path
from ledger.db.rows import LegState, State
from mappings.fields.folder_names import modified_utf7, plan_names
from mappings.mail.mail import flags_of
from model.kinds import Kind
from model.names import readable
from model.optional_protocols import Grant, Sharing
from model.protocols import Capabilities, Container, Native, Ref, Role, key_of

ODD = (
    "", " ", ".", "..", "/", "~", "INBOX", "inbox", "a\0b", "\ud83d", "\udc00", "\ud83d\ude00", "\ufffd",
    "\ufdd0", "\ufffe", "\u202e", "\u2028", "e\u0301", "\u00e9", "E\u0301", "\r\n", "\x7f", "\x85", "&",
    "x" * 300, "\u4e2d" * 200, "&2D0-", "=SUM(A1)", "\U0001f600" * 70,
)  # fmt: skip
CHARACTERS = st.characters(codec=None) | st.characters(categories=["Cs", "Cc", "Cf", "Cn", "Mn"])
NAMES = st.sampled_from(ODD) | st.text(CHARACTERS, max_size=40)
MAIL = Capabilities(frozenset({Kind.MAIL}))


@given(NAMES)
def test_a_clean_name_can_be_kept_everywhere(name: str) -> None:
    clean = readable(name)
    assert readable(clean) == clean
    assert clean.encode().decode() == clean
    assert "\0" not in clean
    assert Container(Kind.MAIL, "1", (name, "x")).path == (clean, "x")
    assert unpack_path(pack_path((clean,))) == (clean,)
    grant = Grant(Sharing.GROUP, name)
    assert grant.who == clean
    assert len(party_of(grant)) == len(digest_of(grant))
    native = Native(Ref("1", "v"), "ews-message", {"Categories": [name], "ItemClass": "IPM.Note"}, None)
    assert all(readable(text) == text for _, text, *_ in flags_of(native, MAIL)[1])


@given(NAMES)
def test_an_id_of_a_source_is_kept_as_it_is(name: str) -> None:
    assert unpack_id(pack_id(name)) == name
    assert len(key_of(name)) == 16


@given(st.lists(NAMES, max_size=8))
def test_folders_of_any_names_get_places_of_their_own(names: list[str]) -> None:
    """Also those whose names are equal once they can be kept."""
    containers = [Container(Kind.MAIL, str(number), (name,)) for number, name in enumerate(names)]
    placements = plan_names(containers, MAIL, {}, {})
    places = [placement.path for placement in placements.values()]
    assert len(places) == len(set(places)) == len(names)
    for place in places:
        assert decoded(encoded(place[0])) == place[0]
        assert modified_utf7(place[0]) == encoded(place[0])


RAWS = st.binary(max_size=20) | st.binary(max_size=12).map(
    lambda data: b"&" + base64.b64encode(data, b"+,").rstrip(b"=") + b"-"
)


@settings(max_examples=300)
@given(RAWS, RAWS)
def test_a_folder_is_opened_by_the_servers_own_bytes(first: bytes, second: bytes) -> None:
    for raw in (first, second):
        folder = ImapFolder(raw, "/", frozenset())
        assert encoded(folder.key) == raw
        folder.name.encode()
        assert not readable(folder.name).startswith(RAW)
    assert (decoded(first) == decoded(second)) == (first == second)


@pytest.mark.parametrize(
    ("raw", "name"),
    [
        (b"&2D0-", "\ufffd"),
        (b"a&2D0-b", "a\ufffdb"),
        (b"&2D3eAA-", "\U0001f600"),
        (b"B\xfccher", "B\u00fccher"),
    ],
)
def test_names_that_people_read(raw: bytes, name: str) -> None:
    assert ImapFolder(raw, "/", frozenset()).name == name


def test_two_names_that_look_alike_are_two_folders() -> None:
    keys = {ImapFolder(raw, "/", frozenset()).key for raw in (b"&2D0-", b"&2D4-", b"&-2D0-", b"&,,0-")}
    assert len(keys) == 4


def test_folders_of_odd_names_arrive_with_all_their_mail(quick_path: Path) -> None:
    mailbox = MemoryMailbox(addresses=frozenset({SOURCE}), page=50)
    mailbox.deliver(mailbox.create_folder(("Posteingang",), Role.INBOX), letter(0))
    for number, name in enumerate(ODD, 1):
        mailbox.deliver(mailbox.create_folder((name,)), letter(number))
    trial = Trial(quick_path, mailbox, MemoryStore())
    for _ in range(2):
        assert trial.run().state is LegState.VERIFIED
        assert trial.states() == {State.VERIFIED: len(ODD) + 1}
    assert len(trial.store.folders) >= len(ODD) + 1
