"""The three languages of the reports say the same: no key is missing, no place for a number, no sentence."""

from __future__ import annotations

import re
import string
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from event_kinds import Kinds

from engine.approvals.plan_approval import STAGES
from engine.approvals.score import Rating
from engine.control.remedies import ADVICE, MAILBOX, STAYS, advice_of
from engine.leg.repair_walk import What
from kogge.approve.decisions import APPROVABLE
from ledger.db.rows import Phase
from mappings.losses.catalogue import PARTS
from mappings.losses.severity import Class
from model.code_entries import Text
from model.kinds import Kind
from reports.data import Coded, Fate, Lost, Status
from reports.i18n import LANGUAGES, Wording, text
from reports.text_blocks import BROKEN, KEPT, NOT_YET, PARTLY

OTHERS = [language for language in LANGUAGES if language != "en"]
SPANS = re.compile(r"`[^`]+`|\d{3,}")
"""Commands, and numbers such as a year or an RFC's: the same in every language."""


def keys(words: Wording) -> dict[str, Any]:
    return {f"{section}.{name}": own for section, one in words.words.items() for name, own in one.items()}


def forms(value: Any) -> list[str]:
    return [str(one) for one in value] if isinstance(value, list) else [str(value)]


def places(form: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(form) if name is not None}


@pytest.mark.parametrize("language", OTHERS)
def test_no_key_is_missing_and_none_is_too_many(language: str) -> None:
    assert keys(text(language)).keys() == keys(text("en")).keys()


@pytest.mark.parametrize("language", OTHERS)
def test_every_word_has_the_same_forms_and_places(language: str) -> None:
    english = keys(text("en"))
    for key, value in keys(text(language)).items():
        assert len(forms(value)) == len(forms(english[key])), key
        if key not in ("format.months", "format.units"):
            wanted = [places(form) for form in forms(english[key])]
            assert [places(form) for form in forms(value)] == wanted, key
        spans = [re.findall(r"`[^`]+`", form) for form in forms(value)]
        assert spans == [re.findall(r"`[^`]+`", form) for form in forms(english[key])], key


@pytest.mark.parametrize("language", LANGUAGES)
def test_nothing_is_empty_and_each_word_ends_as_it_began(language: str) -> None:
    for key, value in keys(text(language)).items():
        for form in forms(value):
            assert form, key
            if key not in ("format.group", "format.list", "format.parts", "format.colon"):
                assert form == form.strip(), key


@pytest.mark.parametrize(
    ("section", "wanted"),
    [
        ("workload", Kind),
        ("fate", Fate),
        ("fate-note", Fate),
        ("status", Status),
        ("phase", Phase),
        ("rating", [*Rating, "none"]),
        ("rating-note", [*Rating, "none"]),
        ("class", Class),
        ("class-note", Class),
        ("level", ["directory", "address", "asserted", "none"]),
        ("side", ["source", "target"]),
        ("promises", [KEPT, BROKEN, NOT_YET, PARTLY]),
        ("person", Phase),
        ("about", [*STAGES, *Phase, *APPROVABLE, *What]),
    ],
)
def test_every_code_that_may_be_told_has_a_word(section: str, wanted: Any) -> None:
    missing = {str(code) for code in wanted} - text("en").words[section].keys()
    assert missing == set(), f"add them to [{section}] of reports/templates/*.toml"


def test_every_event_that_the_ledger_can_hold_has_a_word_and_no_other_has() -> None:
    recorded = Kinds().all()
    assert {
        "plan-approved",
        "evidence-key-exported",
        "invitation-probe",
        "paused",
        "first-mailbox",
        "step",
    } <= recorded
    assert text("en").words["decision"].keys() == recorded, "see [decision] of reports/templates/*.toml"


def declared() -> Iterator[Text]:
    """What a person may read about what is theirs."""
    for kind in PARTS.values():
        for table in (kind.losses, kind.skips, kind.rejections):
            yield from table.values()
    yield from (entry.meaning for entry in STAYS.entries.values())


def advised() -> Iterator[Text]:
    """What an operator reads."""
    yield from map(advice_of, ADVICE.entries.values())


def meant() -> Iterator[Text]:
    """What somebody who decides may read of a mailbox that stopped."""
    stopping = {*MAILBOX, "verification-differs", "verification-extra", "verification-missing"}
    yield from (ADVICE.entries[code].meaning for code in stopping)


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("texts", [meant, declared, advised])
def test_what_people_read_is_translated(language: str, texts: Callable[[], Iterator[Text]]) -> None:
    missing = sorted(found["en"] for found in texts() if language not in found)
    assert missing == [], "say them in model/codes"


@pytest.mark.parametrize("language", OTHERS)
def test_commands_and_codes_are_the_same_in_a_translation(language: str) -> None:
    for one in (*meant(), *declared(), *advised()):
        wanted, found = (sorted(SPANS.findall(words)) for words in (one["en"], one[language]))
        assert found == wanted, one


@pytest.mark.parametrize(
    ("language", "number", "share", "size", "moment"),
    [
        ("en", "1,234.5", "99.99%", "1.2 MB", "26 November 2025, 08:05 (UTC)"),
        ("de", "1.234,5", "99,99 %", "1,2 MB", "26. November 2025, 08:05 Uhr (UTC)"),
        ("fr", "1 234,5", "99,99 %", "1,2 Mo", "26 novembre 2025 à 08:05 (UTC)"),
    ],
)
def test_numbers_and_dates(language: str, number: str, share: str, size: str, moment: str) -> None:
    own = text(language)
    found = (own.number(1234.5, 1), own.share(99_999, 100_000), own.size(1_234_567), own.moment(1764144300))
    assert tuple(" ".join(one.split()) for one in found) == (number, share, size, moment)


@pytest.mark.parametrize(
    ("zone", "told"),
    [
        ("Europe/Berlin", "26. November 2025, 09:05 Uhr (UTC+1)"),
        ("America/St_Johns", "26. November 2025, 04:35 Uhr (UTC\N{MINUS SIGN}3:30)"),
        ("Pacific/Auckland", "26. November 2025, 21:05 Uhr (UTC+13)"),
    ],
)
def test_a_moment_is_told_by_the_clock_of_its_readers(zone: str, told: str) -> None:
    own = text("de", zone)
    assert own.moment(1764144300) == told
    assert own.utc(1764144300) == "26. November 2025, 08:05 Uhr (UTC)"
    assert own.iso(1764144300) == "2025-11-26T08:05Z"
    assert text("de").moment(1764144300) == own.utc(1764144300), "one page's zone is not another's"


@pytest.mark.parametrize(
    ("part", "whole", "told"),
    [(1, 1, "100%"), (0, 5, "0%"), (999_999, 1_000_000, "99.99%"), (1, 10**9, "0.01%"), (0, 0, "100%")],
)
def test_a_share_is_never_rounded_to_all_or_nothing(part: int, whole: int, told: str) -> None:
    assert text("en").share(part, whole) == told


def test_one_and_several() -> None:
    assert text("en")("chart.inventory", n=1) == "1 item"
    assert text("en")("chart.inventory", n=0) == "0 items"
    assert text("fr")("chart.inventory", n=0) == "0 élément"
    assert text("de")("chart.inventory", n=2) == "2 Elemente"


VERBS = {
    "en": (("is", "has", "was", "needs"), ("are", "have", "were", "need")),
    "de": (("ist", "hat", "wurde", "braucht"), ("sind", "haben", "wurden", "brauchen")),
    "fr": (("est", "a", "reste"), ("sont", "ont", "restent")),
}


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_verb_after_a_number_is_of_that_number(language: str) -> None:
    told = 0
    for key, value in keys(text(language)).items():
        for form, verbs in zip(value, VERBS[language], strict=False) if isinstance(value, list) else ():
            others = {verb for pair in VERBS[language] for verb in pair} - set(verbs)
            if form.startswith("{n} "):
                after = set(form.split()[1:3])
                assert not after & others, f"{key}: {form}"
                told += len(after & set(verbs))
    assert told >= 10
    assert "{n}" not in text(language)("sentence.one") + text(language)("sentence.not-one")


def test_no_line_breaks_before_a_french_mark() -> None:
    own = text("fr")
    said = (own.sentence(one).text for one in (*meant(), *declared(), *advised()))
    everything = [*said, *(form for value in keys(own).values() for form in forms(value))]
    assert not [words for words in everything if re.search(r" [;:!?»]|« ", words)]


def test_what_has_no_translation_stays_english_and_says_so() -> None:
    said = text("de").sentence({"en": "A sentence that nobody has translated."})
    assert (said.text, said.language) == ("A sentence that nobody has translated.", "en")
    assert text("de").advice("no-such-code").text == ""
    assert text("de").meaning("no-such-code") is None
    told = text("de").meaning("over-quota")
    assert told is not None
    assert told.text == "Das Zielkonto ist voll."


def test_a_sentence_is_of_its_own_kind() -> None:
    own = text("en")
    assert "message" in own.reason(Coded(Kind.MAIL, "too-large", 1)).text
    assert "file" in own.reason(Coded(Kind.FILES, "too-large", 1)).text
    lost = own.loss(Lost(Kind.CONTACTS, "text", "control-characters", 1)).text
    assert lost == "Control characters, which no open format can carry, were left out."
    assert own.stays("hidden").text == "Hidden folders of the system"


def test_an_unknown_language() -> None:
    with pytest.raises(KeyError):
        text("nl")


@pytest.mark.parametrize(
    ("language", "first", "short", "second"),
    [
        ("en", "1 December 2026", "1 Dec", "2 December 2026"),
        ("de", "1. Dezember 2026", "1. Dez.", "2. Dezember 2026"),
        ("fr", "1er décembre 2026", "1er déc.", "2 décembre 2026"),
    ],
)
def test_the_first_of_a_month_is_written_as_the_language_writes_it(
    language: str, first: str, short: str, second: str
) -> None:
    words, noon = text(language), datetime(2026, 12, 1, 12, tzinfo=UTC)
    assert words.day(noon.timestamp()) == first
    assert words.short_day(noon) == short
    assert words.day(noon.timestamp() + 86_400) == second
