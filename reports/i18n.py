"""The words of the reports, in English, German and French, and how each language writes numbers and dates.

The words stand in reports/templates/LANG.toml, by section and key; those for a person about their own mailbox
and what the program itself says of a code, in model/codes; the names of the workloads in model/kinds.py. What
has no translation there stays English.
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

from engine.control.remedies import ADVICE, STAYS, advice_of
from mappings.losses.catalogue import DECLARED, meaning_of_loss
from model.code_entries import ENGLISH, Text, everyday_sentences
from model.kinds import KINDS
from reports.data import Coded, Lost

HOME = Path(__file__).parent / "templates"
LANGUAGES = ("en", "de", "fr")
MINUS = "\N{MINUS SIGN}"
FINE = 100
"""How many parts of a percent are shown."""


@dataclass(frozen=True, slots=True)
class Sentence:
    """Hold what the program says of a code, and the language that it is in."""

    text: str
    language: str


@dataclass(frozen=True, slots=True)
class Wording:
    """Write texts, numbers and times in one language.

    Attributes:
        words: by section and key.
        sentences: by the English sentence.
        zone: of the times.
    """

    language: str
    words: Mapping[str, Mapping[str, Any]]
    zone: tzinfo = UTC

    def __call__(self, key: str, **values: object) -> str:
        """Return the words of "section.key".

        Whole numbers among the values are written as the language does. If there are several forms, `n`
        selects one.

        Raises:
            KeyError: there is no such key.
        """
        section, _, name = key.partition(".")
        found = self.words[section][name]
        if isinstance(found, list):
            found = found[self._form(values["n"])]
        shown = {
            name: self.number(value) if isinstance(value, int) else value for name, value in values.items()
        }
        return str(found).format(**shown) if values else str(found)

    def _form(self, count: object) -> int:
        """Return the index of the form for a number; French uses the singular for 0, too."""
        return 0 if count == 1 or (count == 0 and self.language == "fr") else 1

    def name(self, section: str, key: object) -> str:
        """Return the word for a code, or the code itself if there is none."""
        return str(self.words[section].get(str(key), key))

    def has(self, key: str) -> bool:
        """Return True if there are words of "section.key"."""
        section, _, name = key.partition(".")
        return name in self.words.get(section, {})

    def names(self, section: str, keys: Iterable[object]) -> list[str]:
        """Return the words for several codes."""
        return [self.name(section, key) for key in keys]

    def number(self, value: float, digits: int = 0) -> str:
        """Write a number as the language does."""
        form = self.words["format"]
        shown = f"{value:,.{digits}f}"
        return shown.translate(str.maketrans({",": form["group"], ".": form["decimal"]}))

    def share(self, part: int, whole: int) -> str:
        """Write a share as a percentage, to hundredths.

        It is never "100%" for a part that is not the whole, and never "0%" for a part that is not empty.
        """
        hundredths = FINE * 100 * part // whole if whole else FINE * 100
        if part and not hundredths:
            hundredths = 1
        digits = 0 if hundredths % FINE == 0 else 2
        return self("format.percent", n=self.number(hundredths / FINE, digits))

    def percent(self, share: float) -> str:
        """Write a share between 0 and 1 as a whole percentage."""
        return self("format.percent", n=self.number(100 * share))

    @property
    def zone_name(self) -> str:
        """Return the time zone as the configuration names it."""
        return str(self.zone)

    def size(self, count: int) -> str:
        """Write bytes in decimal units."""
        units = self.words["format"]["units"]
        amount, at = float(count), 0
        while amount >= 1000 and at < len(units) - 1:
            amount, at = amount / 1000, at + 1
        return f"{self.number(amount, 1 if at else 0)}\N{NO-BREAK SPACE}{units[at]}"

    def span(self, seconds: float) -> str:
        """Write a length of time in minutes, from two hours on in hours."""
        if seconds < 7200:
            return self("format.minutes", n=self.number(max(1, round(seconds / 60))))
        return self("format.hours", n=self.number(seconds / 3600, 1))

    def local(self, seconds: float) -> datetime:
        """Return a moment, in seconds since 1970 UTC, by the clock of the page's time zone."""
        return datetime.fromtimestamp(seconds, UTC).astimezone(self.zone)

    def day(self, seconds: float) -> str:
        """Write a date by the page's time zone."""
        return self._day(self.local(seconds))

    def short_day(self, when: datetime) -> str:
        """Write a date without its year, for the axis of a chart."""
        month = self.words["format"]["short-months"][when.month - 1]
        return self("format.short-date", day=self._day_of_month(when), month=month)

    def moment(self, seconds: float, form: str = "moment") -> str:
        """Write a time to the minute, by the page's time zone, and name the zone.

        Args:
            seconds: since 1970 UTC.
            form: "minute" leaves the zone out, where a heading names it.
        """
        return self._moment(self.local(seconds), form)

    def utc(self, seconds: float) -> str:
        """Write a time as `moment` does, but in UTC."""
        return self._moment(datetime.fromtimestamp(seconds, UTC), "moment")

    def _day(self, when: datetime) -> str:
        month = self.words["format"]["months"][when.month - 1]
        return str(self.words["format"]["date"]).format(
            day=self._day_of_month(when), month=month, year=when.year
        )

    def _day_of_month(self, when: datetime) -> str:
        return str(self.words["format"]["first"]) if when.day == 1 else str(when.day)

    def _moment(self, when: datetime, form: str) -> str:
        told = str(self.words["format"][form])
        return told.format(date=self._day(when), time=f"{when:%H:%M}", zone=offset_of(when))

    def iso(self, seconds: float) -> str:
        """Write a time for machines, in UTC."""
        return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%MZ}"

    def listed(self, parts: list[str]) -> str:
        """Join parts as the language does."""
        return str(self.words["format"]["list"]).join(parts)

    def sentence(self, text: Text) -> Sentence:
        """Return a sentence in this language if there is a translation, else in English."""
        if self.language in text or not text:
            said = text.get(self.language, "")
            return Sentence(_spaced(said) if self.language == "fr" else said, self.language)
        return Sentence(text[ENGLISH], ENGLISH)

    # What the program says

    def loss(self, one: Lost) -> Sentence:
        """Return what a loss means."""
        return self.sentence(meaning_of_loss(one.workload, one.field, one.reason))

    def advice(self, code: str) -> Sentence:
        """Return what an operator does about a code."""
        return self.sentence(advice_of(ADVICE.entries[code]) if code in ADVICE else {})

    def meaning(self, code: str) -> Sentence | None:
        """Return what a mailbox's code means, for anybody; None without a sentence in this language."""
        found = self.sentence(ADVICE.entries[code].meaning if code in ADVICE else {})
        return found if found.text and found.language == self.language else None

    def reason(self, one: Coded) -> Sentence:
        """Return why an item did not move, for anybody; "" if only advice is known."""
        table = DECLARED[one.workload]
        return self.sentence(table.rejections.get(one.code) or table.skips.get(one.code, {}))

    def stays(self, code: str) -> Sentence:
        """Return what part of a mailbox does not move, as the beginning of a sentence."""
        found = self.sentence(STAYS.entries[code].meaning if code in STAYS else {})
        return Sentence(found.text[:1].upper() + found.text[1:], found.language)


def offset_of(when: datetime) -> str:
    """Return how far a clock is from UTC, as UTC, UTC+1 or UTC-3:30: the same in every language."""
    minutes = (when.utcoffset() or timedelta()) // timedelta(minutes=1)
    if not minutes:
        return "UTC"
    hours, rest = divmod(abs(minutes), 60)
    return f"UTC{'+' if minutes > 0 else MINUS}{hours}{f':{rest:02}' if rest else ''}"


def text(language: str, zone: str = "UTC") -> Wording:
    """Return the texts of a language.

    Args:
        language: one of LANGUAGES.
        zone: the time zone of the times, such as Europe/Berlin.

    Raises:
        KeyError: there is no such language.
    """
    if language not in LANGUAGES:
        raise KeyError(language)
    found = _wording(language)
    return found if zone == "UTC" else replace(found, zone=ZoneInfo(zone))


@cache
def _wording(language: str) -> Wording:
    words = _read(f"{language}.toml") | _everyday(language)
    words["workload"] |= {kind.value: traits.titles[language] for kind, traits in KINDS.items()}
    return Wording(language, _spaced(words) if language == "fr" else words)


def _read(name: str) -> dict[str, Any]:
    return tomllib.loads((HOME / name).read_text(encoding="utf-8"))


def _everyday(language: str) -> dict[str, dict[str, str]]:
    """What is said of each name, by "name.title" and the like."""
    return {
        section: {
            f"{name}.{part}": text[language] for name, own in names.items() for part, text in own.items()
        }
        for section, names in everyday_sentences().items()
    }


def _spaced(value: Any) -> Any:
    """Return the texts with the spaces that French sets before these marks.

    No line may break at them. In the files they are plain spaces.
    """
    if isinstance(value, dict):
        return {key: _spaced(own) for key, own in value.items()}
    if isinstance(value, list):
        return [_spaced(own) for own in value]
    return re.sub(r" (?=[;!?»:])|(?<=«) ", "\N{NARROW NO-BREAK SPACE}", str(value))
