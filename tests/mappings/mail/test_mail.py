"""Mail: golden records, refusals, rules, and the properties of keywords and dates."""

from __future__ import annotations

import io
import json
import re
import unicodedata
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mappings.fields.flags import KEYWORD_LENGTH, RESERVED, is_atom, keyword
from mappings.losses.catalogue import LOSSES, REJECTIONS, SKIPS, lose
from mappings.mail.digest import canonical
from mappings.mail.mail import date_of, flags_of, map_mail, skip_reason
from model.errors import Corrupt, Rejected
from model.kinds import Kind
from model.protocols import Capabilities, Loss, Mapped, Native, Ref, key_of

NOT_AFTER = datetime(2026, 11, 25, tzinfo=UTC)
RAW = b"Subject: x\r\n\r\nbody\r\n"
TARGET = Capabilities(frozenset({Kind.MAIL}))
CASES = json.loads((Path(__file__).parents[1] / "goldens" / "mail.json").read_text())

Case = dict[str, object]


def native(properties: dict[str, object], raw: bytes | None = RAW, format_: str = "ews-message") -> Native:
    body = None if raw is None else (lambda: io.BytesIO(raw))
    return Native(Ref("id-1", "v1"), format_, properties, body)


def note(**properties: object) -> Native:
    return native({"ItemClass": "IPM.Note", **properties})


def mapped(record: Native, target: Capabilities = TARGET) -> Mapped:
    return map_mail(record, target, NOT_AFTER)


def record_of(case: Case) -> Native:
    given_ = case["properties"]
    assert isinstance(given_, dict)
    properties = {name: _typed(name, value) for name, value in given_.items()}
    return native(properties, str(case.get("body", RAW.decode())).encode(), str(case["format"]))


def _typed(name: str, value: object) -> object:
    if name in ("Received", "Sent", "Created", "INTERNALDATE") and isinstance(value, str):
        return datetime.fromisoformat(value)
    if name == "FLAGS" and isinstance(value, list):
        return frozenset(value)
    return tuple(value) if isinstance(value, list) else value


def _without_hash(word: str) -> str:
    return re.sub(r"-[0-9a-f]{8}$", "-KEY", word)


@pytest.mark.parametrize("case", CASES, ids=lambda case: str(case["what"]))
def test_golden(case: Case) -> None:
    target = Capabilities(frozenset({Kind.MAIL}), keywords=bool(case.get("keywords", True)))
    result = mapped(record_of(case), target)
    assert sorted(map(_without_hash, result.item.flags)) == case["flags"]
    assert {_without_hash(word): text for word, text in result.labels} == case.get("labels", {})
    assert sorted(f"{loss.field}/{loss.reason}" for loss in result.losses) == case.get("losses", [])
    assert (result.item.date.isoformat() if result.item.date else None) == case["date"]


@pytest.mark.parametrize("case", CASES, ids=lambda case: str(case["what"]))
def test_flags_alone_are_the_same_without_the_body(case: Case) -> None:
    record = record_of(case)
    target = Capabilities(frozenset({Kind.MAIL}), keywords=bool(case.get("keywords", True)))
    whole = mapped(record, target)
    flags, labels, losses = flags_of(Native(record.ref, record.format, record.properties), target)
    assert (flags, labels) == (whole.item.flags, whole.labels)
    assert set(losses) == {loss for loss in whole.losses if loss.field not in ("body", "date")}


def test_the_item_carries_key_digest_size_and_the_untouched_body() -> None:
    raw = b"A: b\n\n\0"
    item = mapped(native({"ItemClass": "IPM.Note"}, raw)).item
    assert (item.kind, item.key) == (Kind.MAIL, key_of("id-1"))
    assert (item.digest, item.size) == (canonical(io.BytesIO(raw)).digest, len(raw) + 2)
    assert item.body().read() == raw


@pytest.mark.parametrize(
    "name",
    [
        "IPM.Note", "IPM.Note.SMIME.MultipartSigned", "IPM.Note.Microsoft.Voicemail", "REPORT.IPM.Note.NDR",
        "IPM.Schedule.Meeting.Canceled", "IPM.Recall.Report", "IPM.Outlook.Recall", "IPM.TaskRequest.Accept",
        "IPM.Post", "IPM.Sharing", "ipm.NOTE.Rules.OofTemplate.Microsoft",
    ],
)  # fmt: skip
def test_classes_that_are_mail(name: str) -> None:
    record = native({"ItemClass": name})
    assert skip_reason(record) is None
    assert mapped(record).item.size == len(RAW)


@pytest.mark.parametrize("name", ["IPM", "IPM.Notebook", "IPM.Unknown", "", "X", "REPORTS.IPM.Note", None])
def test_classes_nobody_knows_are_rejected_not_guessed(name: object) -> None:
    with pytest.raises(Rejected) as caught:
        mapped(native({"ItemClass": name}))
    assert caught.value.code == "unknown-class"
    with pytest.raises(Rejected, match="unknown-class"):
        flags_of(native({"ItemClass": name}), TARGET)


@pytest.mark.parametrize(
    ("properties", "code"),
    [
        ({"ItemClass": "IPM.StickyNote"}, "sticky-note-in-mail-folder"),
        ({"ItemClass": "IPM.Activity"}, "journal-in-mail-folder"),
        ({"ItemClass": "IPM.Contact.Custom"}, "contact-in-mail-folder"),
        ({"ItemClass": "ipm.distlist"}, "contact-in-mail-folder"),
        ({"ItemClass": "IPM.Appointment"}, "appointment-in-mail-folder"),
        ({"ItemClass": "IPM.Task"}, "task-in-mail-folder"),
        ({"ItemClass": "IPM.Note", "IsAssociated": True}, "associated-item"),
        ({"ItemClass": "IPM.Note"}, None),
        ({"ItemClass": "IPM.Tasks"}, None),
    ],
)
def test_skips_by_rule(properties: dict[str, object], code: str | None) -> None:
    assert skip_reason(native(properties)) == code
    assert code is None or code in SKIPS


@pytest.mark.parametrize(
    ("record", "code"),
    [
        (native({"ItemClass": "IPM.Note"}, b""), "empty-message"),
        (native({"ItemClass": "IPM.Note"}, None), "body-missing"),
        (native({"ItemClass": "IPM.Note"}, b"x" * 101), "too-large"),
        (native({"ItemClass": "IPM.Note"}, b"\n" * 51), "too-large"),
        (native({}, RAW, "vcard"), "unknown-format"),
    ],
)
def test_what_cannot_move_is_rejected(record: Native, code: str) -> None:
    with pytest.raises(Rejected) as caught:
        mapped(record, Capabilities(frozenset({Kind.MAIL}), max_bytes=100))
    assert caught.value.code == code
    assert code in REJECTIONS


@given(
    st.datetimes(
        timezones=st.sampled_from([UTC, timezone(timedelta(hours=-11)), timezone(timedelta(hours=2))])
    )
)
def test_dates_are_whole_seconds_between_1970_and_the_limit(date: datetime) -> None:
    if date.year in (1, 9999):
        return
    result = mapped(note(Received=date))
    found = result.item.date
    assert found is not None
    assert datetime(1970, 1, 1, tzinfo=UTC) <= found <= NOT_AFTER
    assert found.microsecond == 0
    moved = abs(found - date) >= timedelta(seconds=1)
    assert moved <= any(loss.field == "date" for loss in result.losses)


@given(st.text(max_size=60))
def test_keywords_are_short_plain_and_stable(text: str) -> None:
    word = keyword(text)
    assert re.fullmatch(r"[a-z0-9_.-]+", word)
    assert len(word) <= KEYWORD_LENGTH
    assert word not in RESERVED
    assert is_atom(word)
    assert keyword(text.upper()) == word or text.upper().lower() != text.lower()


@given(st.text("aA-_ 0ü\u0301fé", max_size=14), st.text("aA-_ 0ü\u0301fé", max_size=14))
def test_different_categories_have_different_keywords(one: str, two: str) -> None:
    def same(text: str) -> str:
        return unicodedata.normalize("NFC", text).casefold()

    assert (keyword(one) == keyword(two)) == (same(one) == same(two))


def test_a_category_that_imitates_a_hash_does_not_meet_it() -> None:
    hashed = keyword("Büro")
    assert keyword(hashed) != hashed


def test_undeclared_losses_fail() -> None:
    with pytest.raises(Corrupt):
        lose("flags", "made-up")
    assert lose(*next(iter(LOSSES))).field


@pytest.mark.parametrize("oldest", [0, 1])
@pytest.mark.parametrize("second", [-5, 0, 1, 2])
def test_a_date_before_the_oldest_that_a_target_keeps_is_that_one(oldest: int, second: int) -> None:
    """A pass and a verification map it to the same date, so that they agree with the target."""
    date = datetime.fromtimestamp(second, UTC)
    record = native({"INTERNALDATE": date}, format_="rfc822")
    target = Capabilities(frozenset({Kind.MAIL}), oldest_date=oldest)
    mapped = map_mail(record, target, NOT_AFTER)
    assert mapped.item.date == datetime.fromtimestamp(max(second, oldest), UTC)
    assert (Loss("date", "before-1970") in mapped.losses) is (second < oldest)
    assert date_of(record, target, NOT_AFTER) == (
        mapped.item.date,
        tuple(one for one in mapped.losses if one.field == "date"),
    )
