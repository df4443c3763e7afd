"""Read what is written of each code: one entry a code, in one file of model/codes.

A file is an area, such as "a mailbox is blocked" (mailbox.toml), or a class of losses (losses_content.toml).
The head of an entry is a code, or the field and the reason of a loss. Each entry is parsed when it is first
asked for, so that a command that shows one code does not parse hundreds of sentences in three languages.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache, cached_property
from pathlib import Path
from typing import TypeVar

HOME = Path(__file__).with_name("codes")
ENGLISH = "en"
Text = Mapping[str, str]
"""A sentence by language: English always, the others where somebody reads it translated."""
K = TypeVar("K")
_HEAD = re.compile(r"^\[(.+)\]$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Entry:
    """Hold what is written of one code.

    Attributes:
        meaning: what it means.
        why: why it happens, in English; "" if the meaning says it.
        do: what to do.
        then: how the advice ends: an entry of then.toml; "" if `do` is all of it.
        page: where it is documented best, from the root of the project; "" if among all codes.
        everyday: under which everyday sentence a person reads of it; "detail" if under none.
        kinds: the kinds of items whose mapping declares it, by their values, or "any".
        of: the meaning for one of the kinds, where that has words of its own.
    """

    meaning: Text = field(default_factory=dict)
    why: str = ""
    do: Text = field(default_factory=dict)
    then: str = ""
    page: str = ""
    everyday: str = ""
    kinds: Sequence[str] = ()
    of: Mapping[str, Text] = field(default_factory=dict)

    def meaning_of(self, kind: str) -> Text:
        """Return what it means for a kind of items."""
        return self.of.get(kind, self.meaning)


@cache
def _read(name: str) -> Sequence[tuple[str, str]]:
    """Return the head and the text of each entry of a file."""
    _, *parts = _HEAD.split((HOME / f"{name}.toml").read_text(encoding="utf-8"))
    return tuple(zip(parts[::2], parts[1::2], strict=True))


class Entries(Mapping[K, Entry]):
    """Hold the entries of one or several files, in their order. Nothing is read before it is asked for."""

    def __init__(self, *files: str, key: Callable[[str], K]) -> None:
        """Take the files' names, without ".toml", and what makes of an entry's head its key."""
        self._files = files
        self._key = key
        self._parsed: dict[K, Entry] = {}

    @cached_property
    def _written(self) -> Mapping[K, str]:
        """The text of each entry."""
        return {self._key(head): body for name in self._files for head, body in _read(name)}

    def __getitem__(self, key: K) -> Entry:
        if key not in self._parsed:
            self._parsed[key] = Entry(**tomllib.loads(self._written[key]))
        return self._parsed[key]

    def __contains__(self, key: object) -> bool:
        return key in self._written

    def __iter__(self) -> Iterator[K]:
        return iter(self._written)

    def __len__(self) -> int:
        return len(self._written)


class Sentences(Mapping[K, str]):
    """Hold one English sentence of each entry."""

    def __init__(self, entries: Mapping[K, Entry], sentence: Callable[[Entry], Text]) -> None:
        """Take the entries, and what chooses the sentence of one."""
        self.entries = entries
        self._sentence = sentence

    def __getitem__(self, key: K) -> str:
        return self._sentence(self.entries[key])[ENGLISH]

    def __contains__(self, key: object) -> bool:
        return key in self.entries

    def __iter__(self) -> Iterator[K]:
        return iter(self.entries)

    def __len__(self) -> int:
        return len(self.entries)


def entries_of(*files: str) -> Entries[str]:
    """Return entries by their codes."""
    return Entries(*files, key=str)


@cache
def everyday_sentences() -> Mapping[str, Mapping[str, Mapping[str, Text]]]:
    """Return what a person reads about their own mailbox: title, says and do, by section and name."""
    return tomllib.loads((HOME / "everyday.toml").read_text(encoding="utf-8"))
