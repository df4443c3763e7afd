"""Read the commands of a guide, with what they print, and compare that with what they really print.

A guide shows a terminal as a fenced block:

    ```console
    $ kogge migrate --wave pilot
    …
    every item is accounted for
    ```

A line that begins with "$ " is a command, which ends with the exit code 0. The lines below it are what it
prints. A line "…" stands for any number of lines, and "…" within a line for any text. Numbers, random ids and
the width of columns are not compared. A comment directly above a block changes that:

    <!-- exit code 1 -->            the block's last command ends so
    <!-- not run: REASON -->        the block cannot be run, because of REASON
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

ANY = "…"
FENCE = re.compile(
    r"^(?:<!-- (?P<note>[^\n]+?) -->\n)?```console\n(?P<body>.*?)^```$", re.MULTILINE | re.DOTALL
)
NOT_RUN, EXIT = "not run: ", "exit code "
ID = re.compile(r"\bm-[0-9a-f]{8}\b")
NUMBER = re.compile(r"\d+(?:[.,:]\d+)*")
UNIT = re.compile(r"(?<!\w)(0|…) ?(?:B|kB|MB|GB|s|m|h)\b")
RULE = re.compile(r"[-─]{2,}")


@dataclass(frozen=True, slots=True)
class Command:
    """Hold one command of a guide.

    Attributes:
        line: the number of its line.
        text: what is typed.
        shown: what the guide says it prints, line by line.
        code: the exit code that the guide expects.
    """

    line: int
    text: str
    shown: tuple[str, ...]
    code: int = 0


@dataclass(frozen=True, slots=True)
class Block:
    """Hold one block of a guide.

    Attributes:
        line: the number of its first line.
        commands: its commands, in order.
        reason: why it is not run; "" if it is.
    """

    line: int
    commands: tuple[Command, ...]
    reason: str = ""


def blocks(text: str) -> list[Block]:
    """Return the blocks of a guide, in order.

    Raises:
        ValueError: this module does not know the comment above a block, or a block has no command.
    """
    return [_block(text, found) for found in FENCE.finditer(text)]


def _block(text: str, found: re.Match[str]) -> Block:
    line = text.count("\n", 0, found.start("body")) + 1
    note = found["note"] or ""
    commands = tuple(_commands(found["body"], line))
    if note.startswith(NOT_RUN):
        return Block(line, commands, note.removeprefix(NOT_RUN))
    if not commands:
        raise ValueError(f'line {line}: the block has no line that begins with "$ "')
    if note.startswith(EXIT):
        commands = (*commands[:-1], replace(commands[-1], code=int(note.removeprefix(EXIT))))
    elif note:
        raise ValueError(f"line {line - 2}: unknown comment above a block: {note}")
    return Block(line, commands)


def _commands(body: str, first: int) -> Iterator[Command]:
    """Yield the commands of a block; a backslash at a line's end continues a command."""
    command: Command | None = None
    for number, line in enumerate(body.splitlines(), first):
        if line.startswith("$ "):
            if command is not None:
                yield command
            command = Command(number, line[2:], ())
        elif command is not None and command.text.endswith("\\") and not command.shown:
            command = replace(command, text=f"{command.text}\n{line}")
        elif command is not None:
            command = replace(command, shown=(*command.shown, line))
    if command is not None:
        yield command


def difference(shown: Sequence[str], printed: str) -> str:
    """Return what a guide shows and a command did not print; "" if all of it was printed, in this order.

    Args:
        shown: the lines of the guide; none compares nothing.
        printed: what the command printed.
    """
    wanted = [line for line in map(_stable, shown) if line]
    lines = [line for line in map(_stable, printed.splitlines()) if line]
    if not wanted:
        return ""
    skipping, place = False, 0
    for line in wanted:
        if line == ANY:
            skipping = True
            continue
        found = _find(line, lines, place, skipping)
        if found is None:
            return line
        skipping, place = False, found + 1
    return "" if skipping or place == len(lines) else f"the end; it went on with: {lines[place]}"


def _find(line: str, lines: Sequence[str], place: int, skipping: bool) -> int | None:
    """Return where a line is: at this place or, after "…", at the first place from there on."""
    pattern = re.compile(".*".join(map(re.escape, line.split(ANY))))
    last = len(lines) if skipping else min(place + 1, len(lines))
    return next((number for number in range(place, last) if pattern.fullmatch(lines[number])), None)


def _stable(line: str) -> str:
    """Return a line without what differs from run to run, or with the size of the world."""
    plain = NUMBER.sub("0", ID.sub("m-0", line))
    return " ".join(RULE.sub("-", UNIT.sub(r"\1", plain)).split())
