"""Write the reference of the commands from what `--help` says."""

from __future__ import annotations

import enum
from collections.abc import Iterator
from pathlib import PurePath
from typing import Any

from typer.main import get_command

from kogge.app import app

INTRO = """\
# Commands

This page is made from the program. It says what `kogge COMMAND --help` says. With `--json`, standard output
is one JSON document and nothing else.

"""


def page() -> str:
    """Return the page, as Markdown."""
    program = get_command(app)
    commands = list(_runnable(program, ()))
    rows = [f"| [`{name}`](#{_anchor(name)}) | {cell(_paragraphs(one)[0])} |" for name, one in commands]
    overview = ["| Command | What it does |", "| --- | --- |", *rows, ""]
    sections = [line for name, one in commands for line in _section(name, one)]
    return INTRO + "\n".join([str(program.epilog), "", *overview, *sections]).rstrip() + "\n"


def cell(text: str) -> str:
    """Return a text as a cell of a table."""
    return text.replace("\n", " ").replace("|", "\\|").replace("<", "&lt;")


def _runnable(command: Any, path: tuple[str, ...]) -> Iterator[tuple[str, Any]]:
    """Yield every command that does something by itself, with its full name."""
    below = getattr(command, "commands", {})
    if path and (not below or command.invoke_without_command):
        yield " ".join(("kogge", *path)), command
    for name, one in below.items():
        if not one.hidden:
            yield from _runnable(one, (*path, name))


def _section(name: str, command: Any) -> Iterator[str]:
    yield from (f"## `{name}`", "")
    examples = []
    for paragraph in _paragraphs(command):
        if paragraph.startswith("Example: "):
            examples.append("    " + paragraph.removeprefix("Example: "))
        else:
            yield from (paragraph, "")
    if examples:
        yield from (*examples, "")
    shown = [one for one in command.params if not getattr(one, "hidden", False) and one.name != "help"]
    if shown:
        yield from ("| Option | Meaning |", "| --- | --- |", *map(_option, shown), "")


def _paragraphs(command: Any) -> list[str]:
    """Return what the help says, without the marks that keep rich from reading [table] as a style."""
    return [" ".join(text.split()) for text in (command.help or "").replace("\\[", "[").split("\n\n")]


def _option(one: Any) -> str:
    if one.param_type_name == "argument":
        names = f"`{(one.metavar or one.name).strip('[]')}`"
    else:
        names = ", ".join(f"`{name}`" for name in one.opts)
        names += "" if one.is_flag else f" `{one.metavar or 'VALUE'}`"
    return f"| {names} | {cell(' '.join((one.help or '').split()))}{_notes(one)} |"


def _notes(one: Any) -> str:
    notes = ["required"] if one.required else []
    if (one.multiple or one.nargs == -1) and "repeatable" not in (one.help or ""):
        notes.append("may be given several times")
    default = one.default
    if isinstance(default, str | int | float | PurePath | enum.Enum) and not isinstance(default, bool):
        notes.append(f"default `{getattr(default, 'value', default)}`")
    if one.envvar:
        notes.append(f"or the variable `{one.envvar}`")
    return f" ({'; '.join(notes)})" if notes else ""


def _anchor(name: str) -> str:
    return name.replace(" ", "-")
