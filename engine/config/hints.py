"""Say what to type next: a command with the configuration and the options that the present one was given."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Collection, Iterator, Sequence
from pathlib import Path

DEFAULT = Path("kogge.toml")
CARRIED = (("--wave", "-w"), ("--mailbox", "-m"), ("--workload",), ("--inventory",))
"""Options that the next command gets as this one had them, if it knows them."""
CHOOSING = frozenset({"--wave", "-w", "--mailbox", "-m"})
"""A command with one of these options has chosen its mailboxes already."""
NAMED_MOST = 8
"""So many mailboxes are named in a command; a word stands for each of more."""
_typed: list[str] = []
"""The words of the command line that runs, without the program's name."""
OptionsOf = Callable[[Sequence[str]], Collection[str]]
"""Returns the options of the command that these words name."""
_options_of: list[OptionsOf] = []


def each_mailbox(ids: Sequence[str]) -> list[str]:
    """Return what chooses each of these mailboxes in a command; if they are many, what stands for each."""
    return [f"-m {one}" for one in ids] if len(ids) <= NAMED_MOST else ["-m MAILBOX"]


def remember(words: Sequence[str], options_of: OptionsOf) -> None:
    """Remember what was typed, for next_command, and how to find the options of a command."""
    _typed[:] = words
    _options_of[:] = [options_of]


def next_command(config: Path, command: str) -> str:
    """Return what to type next: for the same configuration, and with the options that this command was given.

    Args:
        config: as it was given.
        command: words after `kogge`. An option that they contain stays as it is.
    """
    here = Path.cwd()
    path = config.relative_to(here) if config.is_relative_to(here) else config
    words = " ".join(["kogge", command, *_carried_options(shlex.split(command))])
    return words if path == DEFAULT else f"{words} -c {shlex.quote(str(path))}"


def _carried_options(words: Sequence[str]) -> Iterator[str]:
    """Yield the options that were typed, as far as the next command takes them."""
    if not _typed:
        return
    given = {names: values for names in CARRIED if (values := list(_values(names)))}
    options = _options_of[0](words) if given else frozenset()  # it loads that command
    chosen = not CHOOSING.isdisjoint(words)
    for names, values in given.items():
        if names[0] in options and not set(names) & set(words) and not (chosen and names[0] in CHOOSING):
            yield from (f"{names[0]} {_not_an_address(value)}" for value in values)


def _values(names: Sequence[str]) -> Iterator[str]:
    """Yield what was typed for an option, each time."""
    for word, next_word in zip(_typed, [*_typed[1:], ""], strict=True):
        name, equals, value = word.partition("=")
        if word in names and next_word:
            yield next_word
        elif equals and name in names:
            yield value


def _not_an_address(value: str) -> str:
    """Return the value, but no address, which the log of a terminal should not keep."""
    return "MAILBOX" if "@" in value or not value.isprintable() else shlex.quote(value)
