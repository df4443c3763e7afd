"""The IMAP wire without a server: responses, dates, sets, names, settings."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta, timezone

import pytest
from pydantic import ValidationError

from connectors.imap.dates import date_of, date_text
from connectors.imap.folders import Namespace, decoded, encoded
from connectors.imap.session import ImapSettings
from connectors.imap.wire.connection import compact, fetched, numbers, tokens
from connectors.settings import Secret


def test_fetch_responses_with_literals_quotes_and_lists() -> None:
    parts = [
        b'* 3 FETCH (UID 9 FLAGS (\\Seen "a b" $X) X "q\\"\\\\" BODY[HEADER.FIELDS (A B)] ',
        b"lit)(",
        b" Y NIL)",
    ]
    assert fetched(parts) == {
        b"UID": b"9",
        b"FLAGS": [b"\\Seen", b"a b", b"$X"],
        b"X": b'q"\\',
        b"BODY[HEADER.FIELDS (A B)]": b"lit)(",
        b"Y": None,
    }


@pytest.mark.parametrize("line", [b"* 3 EXISTS", b"* OK FETCH (", b"* SEARCH 1 2", b"* 4 FETCH ()x"])
def test_other_responses_are_no_fetch(line: bytes) -> None:
    assert not fetched([line])


def test_partial_body_names_keep_their_offset() -> None:
    assert fetched([b"* 1 FETCH (BODY[]<1048576> ", b"abc", b")"]) == {b"BODY[]<1048576>": b"abc"}


def test_empty_strings_and_unbalanced_brackets_are_survived() -> None:
    assert tokens([b'* LIST () "" ""']) == [b"LIST", [], b"", b""]
    assert tokens([b"* X (a))) b"]) == [b"X", [b"a"], b"b"]


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        (
            b"17-Jul-1996 02:44:25 -0700",
            datetime(1996, 7, 17, 2, 44, 25, tzinfo=timezone(-timedelta(hours=7))),
        ),
        (b" 1-jan-2024 00:00:00 +0000", datetime(2024, 1, 1, tzinfo=UTC)),
        (
            b"17-Jul-1996 02:44:25 -0930",
            datetime(1996, 7, 17, 2, 44, 25, tzinfo=timezone(-timedelta(hours=9.5))),
        ),
        (b"31-Feb-2024 00:00:00 +0000", None),
        (b"garbage", None),
    ],
)
def test_internal_dates(text: bytes, moment: datetime | None) -> None:
    assert date_of(text) == moment
    if moment is not None:
        assert date_of(date_text(moment).strip(b'"')) == moment


def test_sets_of_uids() -> None:
    assert compact([1, 2, 3, 7, 9, 10]) == b"1:3,7,9:10"
    assert numbers("3:5,9,12:11", 6) == [3, 4, 5, 9, 12, 11]


@pytest.mark.parametrize(
    "text",
    ["1:4294967295", "9:1", "1,2,3,4,5,6,7", "1:6,7", "0", "1:0", "4294967296", "x", "", "3:", "*", "1,"],
)
def test_a_set_of_more_than_was_asked_for_or_of_no_uids_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"\w"):
        numbers(text, 6)


@pytest.mark.parametrize(
    "text", [b'\\"' * 40_000, b"BODY[ " * 40_000, b'"' + b"a" * 400_000, b'"' + b'\\"' * 40_000 + b"\\"]
)
def test_hostile_text_costs_no_more_than_its_length(text: bytes) -> None:
    began = time.process_time()
    assert tokens([b"* " + text])
    assert time.process_time() - began < 1


def test_a_bracket_bomb_is_refused() -> None:
    with pytest.raises(ValueError, match="nested"):
        tokens([b"* " + b"(" * 100])


@pytest.mark.parametrize("prefix", ["", "INBOX."])
@pytest.mark.parametrize("path", [("INBOX",), ("Work", "Deep"), ("INBOX", "Below"), ("Grüße",)])
def test_a_path_and_its_mailbox_name_are_inverse(prefix: str, path: tuple[str, ...]) -> None:
    where = Namespace(prefix, ".", ("shared.",))
    name = where.name(path)
    if path != ("INBOX",):
        assert name.startswith(prefix)
        assert where.path(name) == path
    assert decoded(encoded(name)) == name
    assert not where.is_foreign(name)


def test_other_peoples_namespaces_are_foreign() -> None:
    where = Namespace("", "/", ("shared/", "user/"))
    assert where.is_foreign("shared/all")
    assert where.is_foreign("shared")
    assert not where.is_foreign("shared notes")


@pytest.mark.parametrize("raw", [b"Gr&APw-&AN8-e", b"&Jjo", b"caf\xe9", b"a & b"])
def test_names_that_are_no_valid_utf7_survive(raw: bytes) -> None:
    assert decoded(raw)


def test_clear_text_is_for_loopback_only() -> None:
    secret = Secret(env="X")
    ImapSettings(host="::1", security="none", password=secret)
    ImapSettings(host="localhost", security="none", password=secret)
    with pytest.raises(ValidationError, match="this very machine"):
        ImapSettings(host="imap.example.org", security="none", password=secret)


@pytest.mark.parametrize("auth", ["master-user", "plain-authzid"])
def test_a_master_needs_a_name(auth: str) -> None:
    with pytest.raises(ValidationError, match="needs username"):
        ImapSettings.model_validate({"host": "h", "auth": auth, "password": {"env": "X"}})
