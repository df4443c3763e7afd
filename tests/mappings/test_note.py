"""Sticky notes: goldens, refusals, and that any text is read as it was written."""

from __future__ import annotations

import io
import json
from datetime import UTC, datetime
from email import message_from_bytes, policy
from email.message import EmailMessage
from xml.sax.saxutils import escape

import pytest
from event_goldens import losses
from golden_records import GOLDENS, context, golden, names, record
from hypothesis import given
from hypothesis import strategies as st

from mappings.fields.ews_xml import printable
from mappings.losses.catalogue import LOSSES, SKIPS
from mappings.mail.digest import canonical
from mappings.notes.note import map_note, skip_note
from model.errors import Rejected
from model.kinds import Kind
from model.protocols import Capabilities, Mapped, Native, key_of

NOTES = Capabilities(frozenset({Kind.NOTES}))
OWNER = frozenset({"wiebke@land.example", "w@x.example"})


def mapped(native: Native, target: Capabilities = NOTES) -> Mapped:
    return map_note(native, context(target, OWNER))


def note(inner: str) -> Native:
    return record("note", f"<t:Message>{inner}</t:Message>", "IPM.StickyNote")


def message(result: Mapped) -> EmailMessage:
    found = message_from_bytes(result.item.body().read(), policy=policy.default)
    assert isinstance(found, EmailMessage)
    return found


@pytest.mark.parametrize("name", names("note"))
def test_golden(name: str) -> None:
    result = mapped(golden("note", name))
    assert result.item.body().read() == (GOLDENS / "note" / f"{name}.eml").read_bytes()
    assert json.loads((GOLDENS / "note" / f"{name}.json").read_text()) == {
        "flags": sorted(result.item.flags),
        "labels": dict(result.labels),
        "date": result.item.date.isoformat() if result.item.date else None,
        "losses": losses(result),
    }
    assert {(loss.field, loss.reason) for loss in result.losses} <= set(LOSSES)


@pytest.mark.parametrize("name", names("note"))
def test_a_server_stores_it_as_it_is(name: str) -> None:
    item = mapped(golden("note", name)).item
    digested = canonical(io.BytesIO(item.body().read()))
    assert (digested.digest, digested.size) == (item.digest, item.size)
    assert (digested.bare_lf, digested.bare_cr, digested.nul) == (0, 0, 0)


def test_the_item_carries_key_and_flags() -> None:
    item = mapped(note("<t:Body BodyType='Text'>A</t:Body>")).item
    assert (item.kind, item.key, item.uid) == (Kind.NOTES, key_of("id-1"), None)
    assert item.flags == {"\\Seen"}
    assert item.body().read() == mapped(note("<t:Body BodyType='Text'>A</t:Body>")).item.body().read()


def test_the_sender_is_the_owner_or_nobody() -> None:
    body = note("<t:Body BodyType='Text'>A</t:Body>")
    assert message(mapped(body))["From"] == "w@x.example"
    for unknown in (frozenset[str](), frozenset({"öl@x.example", 'a "b"@x.example', "a"})):
        found = message_from_bytes(map_note(body, context(NOTES, unknown)).item.body().read())
        assert found["From"] == "notes@kogge.invalid"


def test_categories_without_keywords_are_a_loss() -> None:
    native = note("<t:Categories><t:String>Rot</t:String></t:Categories>" + CREATED)
    kept = mapped(native)
    assert (kept.item.flags, kept.labels) == ({"\\Seen", "rot"}, (("rot", "Rot"),))
    gone = mapped(native, Capabilities(frozenset({Kind.NOTES}), keywords=False))
    assert (gone.item.flags, gone.labels) == (frozenset({"\\Seen"}), ())
    assert losses(gone) == ["categories/keyword-not-kept"]


CREATED = "<t:DateTimeCreated>2021-03-01T08:00:00Z</t:DateTimeCreated>"


@pytest.mark.parametrize(
    ("colour", "lost"), [("3", []), ("0", ["colour/not-kept"]), ("9", ["colour/not-kept"])]
)
def test_a_colour_other_than_yellow_is_a_loss(colour: str, lost: list[str]) -> None:
    uri = '<t:ExtendedFieldURI PropertySetId="0006200e-0000-0000-c000-000000000046" PropertyId="35584"/>'
    inner = f"<t:ExtendedProperty>{uri}<t:Value>{colour}</t:Value></t:ExtendedProperty>{CREATED}"
    assert losses(mapped(note(inner))) == lost


@pytest.mark.parametrize(
    ("written", "date", "lost"),
    [
        ("2021-03-01T08:00:00.5Z", datetime(2021, 3, 1, 8, tzinfo=UTC), []),
        ("1969-12-31T23:59:59Z", datetime(1970, 1, 1, tzinfo=UTC), ["date/before-1970"]),
        ("2030-01-01T00:00:00Z", datetime(2026, 11, 25, tzinfo=UTC), ["date/in-the-future"]),
        ("never", None, ["date/unknown"]),
    ],
)
def test_dates_are_such_as_imap_keeps(written: str, date: datetime | None, lost: list[str]) -> None:
    result = mapped(note(f"<t:LastModifiedTime>{written}</t:LastModifiedTime>"))
    assert (result.item.date, losses(result)) == (date, lost)


@pytest.mark.parametrize(
    ("item_class", "code"),
    [
        ("IPM.StickyNote", None),
        ("ipm.stickynote.x", None),
        ("IPM.StickyNotes", "not-a-note"),
        ("IPM.Activity", "journal-entry"),
        ("IPM.Note", "not-a-note"),
        ("", "not-a-note"),
    ],
)
def test_what_is_no_note_is_skipped(item_class: str, code: str | None) -> None:
    assert skip_note(record("note", "<t:Message/>", item_class)) == code
    assert code is None or code in SKIPS


@pytest.mark.parametrize(
    ("native", "target", "code"),
    [
        (record("event", "<t:Message/>"), NOTES, "unknown-format"),
        (record("note", "<t:Message>"), NOTES, "malformed-record"),
        (note("<t:Subject>A</t:Subject>"), Capabilities(frozenset(), max_bytes=100), "too-large"),
    ],
)
def test_what_cannot_move_is_rejected(native: Native, target: Capabilities, code: str) -> None:
    with pytest.raises(Rejected) as caught:
        mapped(native, target)
    assert caught.value.code == code


TEXT = st.text(
    st.characters(
        exclude_categories=("Cs", "Cc"), include_characters="\n\t", exclude_characters="\ufffe\uffff"
    ),
    max_size=400,
)


@given(TEXT, TEXT)
def test_any_note_is_read_as_it_was_written(subject: str, body: str) -> None:
    inner = f"<t:Subject>{escape(subject)}</t:Subject><t:Body BodyType='Text'>{escape(body)}</t:Body>"
    result = mapped(note(inner))
    raw = result.item.body().read()
    assert all(len(line) <= 78 for line in raw.split(b"\r\n"))
    assert raw.isascii()
    found = message(result)
    assert found.get_content().replace("\r\n", "\n").rstrip() == printable(body).rstrip()
    lines = [line for line in (*printable(subject).split("\n"), *printable(body).split("\n")) if line.strip()]
    assert str(found["Subject"]).split() == (lines[0].split() if lines else [])
