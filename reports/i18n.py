"""The words of the reports, in English, German and French, and how each language writes numbers and dates.

The words stand in reports/templates/LANG.toml, by section and key; those for a person about their own mailbox
in reports/templates/everyday_LANG.toml. What the program itself says of a code is
in English; reports/templates/sentences_LANG.toml has it by its English sentence. One that is not there stays
English.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta, tzinfo
from functools import cache
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from engine.control.code_book import CODES, entries
from engine.control.remedies import ADVICE, PERSON, STAYS
from mappings.losses.catalogue import DECLARED
from reports.data import Coded, Lost
from reports.loss_texts import meaning

HOME = Path(__file__).parent / "templates"
LANGUAGES = ("en", "de", "fr")
ENGLISH = "en"
MINUS = "\N{MINUS SIGN}"
FINE = 100
"""Hundredths of a percent are told."""


@dataclass(frozen=True, slots=True)
class Sentence:
    """What the program says of a code. language: the one that it is in."""

    text: str
    language: str


@dataclass(frozen=True, slots=True)
class Wording:
    """One language. words: by section and key; sentences: by the English one; zone: of the times it tells."""

    language: str
    words: Mapping[str, Mapping[str, Any]]
    sentences: Mapping[str, str]
    zone: tzinfo = UTC

    def __call__(self, key: str, **values: object) -> str:
        """The words of "section.key". Whole numbers among the values are written as the language does; of
        several forms the one for n is taken. Raises KeyError for a key that is not there."""
        section, _, name = key.partition(".")
        found = self.words[section][name]
        if isinstance(found, list):
            found = found[self._form(values["n"])]
        shown = {
            name: self.number(value) if isinstance(value, int) else value for name, value in values.items()
        }
        return str(found).format(**shown) if values else str(found)

    def _form(self, count: object) -> int:
        """In French nothing is said of none as of one."""
        return 0 if count == 1 or (count == 0 and self.language == "fr") else 1

    def name(self, section: str, key: object) -> str:
        """The word for a code; the code itself where there is none."""
        return str(self.words[section].get(str(key), key))

    def has(self, key: str) -> bool:
        """Tell whether there are words of "section.key"."""
        section, _, name = key.partition(".")
        return name in self.words.get(section, {})

    def names(self, section: str, keys: Iterable[object]) -> list[str]:
        return [self.name(section, key) for key in keys]

    def number(self, value: float, digits: int = 0) -> str:
        form = self.words["format"]
        shown = f"{value:,.{digits}f}"
        return shown.translate(str.maketrans({",": form["group"], ".": form["decimal"]}))

    def share(self, part: int, whole: int) -> str:
        """As a percentage, to hundredths. Never "100%" of what is not all, nor "0%" of what is something."""
        hundredths = FINE * 100 * part // whole if whole else FINE * 100
        if part and not hundredths:
            hundredths = 1
        digits = 0 if hundredths % FINE == 0 else 2
        return self("format.percent", n=self.number(hundredths / FINE, digits))

    def percent(self, share: float) -> str:
        return self("format.percent", n=self.number(100 * share))

    @property
    def zone_name(self) -> str:
        """The time zone as the configuration names it."""
        return str(self.zone)

    def size(self, count: int) -> str:
        """Bytes in decimal units."""
        units = self.words["format"]["units"]
        amount, at = float(count), 0
        while amount >= 1000 and at < len(units) - 1:
            amount, at = amount / 1000, at + 1
        return f"{self.number(amount, 1 if at else 0)}\N{NO-BREAK SPACE}{units[at]}"

    def span(self, seconds: float) -> str:
        """A length of time: minutes, from two hours on hours."""
        if seconds < 7200:
            return self("format.minutes", n=self.number(max(1, round(seconds / 60))))
        return self("format.hours", n=self.number(seconds / 3600, 1))

    def local(self, seconds: float) -> datetime:
        """Return a moment, in seconds since 1970 UTC, by the clock of the page's time zone."""
        return datetime.fromtimestamp(seconds, UTC).astimezone(self.zone)

    def day(self, seconds: float) -> str:
        return self._day(self.local(seconds))

    def moment(self, seconds: float, form: str = "moment") -> str:
        """To the minute, by the page's time zone, which is told with it. form: "minute" where a heading tells
        the zone."""
        return self._moment(self.local(seconds), form)

    def utc(self, seconds: float) -> str:
        """As moment does, but in UTC."""
        return self._moment(datetime.fromtimestamp(seconds, UTC), "moment")

    def _day(self, when: datetime) -> str:
        month = self.words["format"]["months"][when.month - 1]
        return str(self.words["format"]["date"]).format(day=when.day, month=month, year=when.year)

    def _moment(self, when: datetime, form: str) -> str:
        told = str(self.words["format"][form])
        return told.format(date=self._day(when), time=f"{when:%H:%M}", zone=offset_of(when))

    def iso(self, seconds: float) -> str:
        """For machines, in UTC."""
        return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%MZ}"

    def listed(self, parts: list[str]) -> str:
        return str(self.words["format"]["list"]).join(parts)

    def sentence(self, english: str) -> Sentence:
        """In this language where there is a translation; then of both halves of one that ends as many do."""
        if self.language == ENGLISH or not english:
            return Sentence(english, self.language)
        head = english.removesuffix(f" {PERSON}")
        halves = [head] if head == english else [head, PERSON]
        found = [self.sentences.get(half) for half in halves]
        told = [one for one in found if one is not None]
        if len(told) < len(halves):
            return Sentence(english, ENGLISH)
        return Sentence(" ".join(told), self.language)

    # What the program says

    def loss(self, one: Lost) -> Sentence:
        return self.sentence(meaning(one.workload, one.field, one.reason))

    def advice(self, code: str) -> Sentence:
        """What an operator does about a code."""
        return self.sentence(ADVICE.get(code, ""))

    def meaning(self, code: str) -> Sentence | None:
        """What a mailbox's code means, for anybody; None where there is no sentence in this language."""
        found = self.sentence(_meanings().get(code, ""))
        return found if found.text and found.language == self.language else None

    def reason(self, one: Coded) -> Sentence:
        """Why an item could not be moved or was left out, for anybody; "" where only advice is known."""
        table = DECLARED[one.workload]
        told: str = table.REJECTIONS.get(one.code) or table.SKIPS.get(one.code, "")
        return self.sentence(told)

    def stays(self, code: str) -> Sentence:
        """What part of a mailbox does not move, as the beginning of a sentence."""
        found = self.sentence(STAYS.get(code, ""))
        return Sentence(found.text[:1].upper() + found.text[1:], found.language)


@cache
def _meanings() -> Mapping[str, str]:
    return {one.code: one.meaning for one in entries() if one.area in CODES}


def offset_of(when: datetime) -> str:
    """Return how far a clock is from UTC, as UTC, UTC+1 or UTC-3:30: the same in every language."""
    minutes = (when.utcoffset() or timedelta()) // timedelta(minutes=1)
    if not minutes:
        return "UTC"
    hours, rest = divmod(abs(minutes), 60)
    return f"UTC{'+' if minutes > 0 else MINUS}{hours}{f':{rest:02}' if rest else ''}"


def text(language: str, zone: str = "UTC") -> Wording:
    """zone: the time zone of the times, such as Europe/Berlin. Raises KeyError for a language that there is
    none of."""
    if language not in LANGUAGES:
        raise KeyError(language)
    found = _wording(language)
    return found if zone == "UTC" else replace(found, zone=ZoneInfo(zone))


@cache
def _wording(language: str) -> Wording:
    words = _read(f"{language}.toml") | _flat(_read(f"everyday_{language}.toml"))
    sentences = {} if language == ENGLISH else _read(f"sentences_{language}.toml")
    if language == "fr":
        words, sentences = _spaced(words), _spaced(sentences)
    return Wording(language, words, sentences)


def _read(name: str) -> dict[str, Any]:
    return tomllib.loads((HOME / name).read_text(encoding="utf-8"))


def _flat(sections: Mapping[str, Mapping[str, Mapping[str, str]]]) -> dict[str, dict[str, str]]:
    """What is said of each name, by "name.title" and the like."""
    return {
        section: {f"{name}.{part}": words for name, own in names.items() for part, words in own.items()}
        for section, names in sections.items()
    }


def _spaced(value: Any) -> Any:
    """French sets a space before these marks at which no line may break; in the files it is a plain one."""
    if isinstance(value, dict):
        return {key: _spaced(own) for key, own in value.items()}
    if isinstance(value, list):
        return [_spaced(own) for own in value]
    return re.sub(r" (?=[;!?»:])|(?<=«) ", "\N{NARROW NO-BREAK SPACE}", str(value))
