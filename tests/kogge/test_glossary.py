"""The commands' help says each thing by its word of docs/glossary.md."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.main import get_command

from engine.config.template import TOML as TEMPLATE
from kogge.app import app

PAGE = Path(__file__).parents[2] / "docs" / "glossary.md"
ROW = re.compile(r"^\| (\*\*.+?) \| (.+?) \| (.*?) ?\| (.*?) ?\|$", re.MULTILINE)
ENGINE = "The engine's word"
"""Begins the meaning of a word that operators need not know."""


def rows() -> list[tuple[list[str], str, list[str]]]:
    """Words, meaning, and the words that are not used."""
    return [
        (re.findall(r"\*\*(.+?)\*\*", words), meaning, [one for one in unused.split(", ") if one])
        for words, meaning, _, unused in ROW.findall(PAGE.read_text())
    ]


WORDS = [word for words, _, _ in rows() for word in words]
UNUSED = sorted({one for _, _, unused in rows() for one in unused})
OF_THE_ENGINE = [word for words, meaning, _ in rows() if meaning.startswith(ENGINE) for word in words]
LEFT_OUT = {"batch"}
"""Words of the engine that an operator meets all the same: a run ends between two batches."""


def helps(command: Any, path: tuple[str, ...] = ("kogge",)) -> Iterator[tuple[str, str]]:
    """(command or option, help) of everything."""
    yield " ".join(path), command.help or ""
    COMMANDS.add(" ".join(path))
    for one in command.params:
        yield f"{' '.join(path)} {one.opts[0]}", getattr(one, "help", None) or ""
        if getattr(one, "is_flag", False):
            SWITCHES.add(f"{' '.join(path)} {one.opts[0]}")
    for name, below in getattr(command, "commands", {}).items():
        yield from helps(below, (*path, name))


COMMANDS: set[str] = set()
SWITCHES: set[str] = set()
"""Options without a value."""
VERBS = re.compile(
    "(approve|compare|destroy|do|go|leave|list|move|name|plan|print|put|read|refresh|remove|replace|run|say|seal"
    "|send|serve|show|take|try|work|write|give)\\b",
    re.IGNORECASE,
)
"""With which the help of a switch begins."""
PRIVATE = ("told", "kept", "beside", "anew")
"""Words that once meant something of their own here."""
HELPS = dict(helps(get_command(app)))


def uses(text: str, word: str) -> bool:
    return re.search(rf"\b{re.escape(word)}(?:e?s)?\b", text, re.IGNORECASE) is not None


def test_the_page_is_read() -> None:
    assert len(rows()) == PAGE.read_text().count("\n| **")
    assert {"workload", "canary", "invitation probe", "lease", "seal"} <= set(WORDS)
    assert {"leg"} <= set(OF_THE_ENGINE)


def test_each_word_has_one_line() -> None:
    assert sorted(set(WORDS)) == sorted(WORDS)
    assert not set(WORDS) & set(UNUSED)


@pytest.mark.parametrize("word", [*UNUSED, *(set(OF_THE_ENGINE) - LEFT_OUT)])
def test_no_help_says_it_otherwise(word: str) -> None:
    assert [name for name, text in HELPS.items() if uses(text, word)] == []


@pytest.mark.parametrize("name", sorted(COMMANDS))
def test_each_command_says_what_it_does(name: str) -> None:
    """A verb first, and the first sentence ends within its paragraph."""
    first = HELPS[name].split("\n\n")[0]
    assert re.match(r"[A-Z][a-z]+s\b", first), first
    assert first.endswith("."), first


@pytest.mark.parametrize("name", sorted(SWITCHES))
def test_each_switch_says_what_the_command_then_does(name: str) -> None:
    """A verb first, behind the other option that it goes with."""
    words = re.sub(r"^With (--)?[a-z]+: ", "", HELPS[name])
    assert VERBS.match(words), f"{words} (a new verb belongs into the list)"


def test_each_option_is_one_or_more_sentences() -> None:
    texts = {name: text for name, text in HELPS.items() if name not in COMMANDS}
    assert [name for name, text in texts.items() if not re.fullmatch(r"[A-Z].*[.)]", text)] == []


@pytest.mark.parametrize("word", PRIVATE)
def test_no_help_has_a_private_word(word: str) -> None:
    assert [name for name, text in HELPS.items() if re.search(rf"(?<!-)\b{word}\b(?!-)", text)] == []


@pytest.mark.parametrize(
    "word",
    ["mailbox", "source", "target", "wave", "canary", "invitation_probe", "window", "hook"],
)
def test_the_new_configuration_uses_the_words(word: str) -> None:
    assert word in TEMPLATE


@pytest.mark.parametrize("word", ["wave", "workload", "cutover", "phase", "pass", "pack", "approval"])
def test_the_help_uses_the_words(word: str) -> None:
    assert any(uses(text, word) for text in HELPS.values())
