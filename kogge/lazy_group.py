"""A group of commands whose modules are imported only when a command of them is asked for."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator, Mapping, MutableMapping
from contextlib import contextmanager
from importlib import import_module
from typing import Any

import typer
from typer.core import TyperCommand, TyperGroup
from typer.main import get_command as built

from kogge.command_table import COMMANDS, Entry
from kogge.terminal.exit_codes import CODES
from kogge.terminal.given_once import GivenOnceCommand


class Commands(MutableMapping[str, Any]):
    """Hold the commands of a group by name. One of the table is imported and built when it is looked up."""

    def __init__(self, table: Mapping[str, Entry], more: Mapping[str, Any]) -> None:
        self._table = table
        self._built = dict(more)

    def __getitem__(self, name: str) -> Any:
        if name not in self._built:
            self._built[name] = load_command(name, self._table[name])
        return self._built[name]

    def __setitem__(self, name: str, command: Any) -> None:
        self._built[name] = command

    def __delitem__(self, name: str) -> None:
        del self._built[name]

    def __contains__(self, name: object) -> bool:
        return name in self._table or name in self._built

    def __iter__(self) -> Iterator[str]:
        yield from self._table
        yield from (name for name in self._built if name not in self._table)

    def __len__(self) -> int:
        return len({*self._table, *self._built})

    def listed(self) -> dict[str, Any]:
        """Return every command as a list of commands shows it, without importing those of the table."""
        shown = {name: _headline(name, entry) for name, entry in self._table.items()}
        return {**shown, **{name: one for name, one in self._built.items() if name not in self._table}}


class LazyGroup(TyperGroup):
    """Show the commands of the table without importing them."""

    def __init__(self, **attributes: Any) -> None:
        super().__init__(**attributes)
        self.commands = Commands(COMMANDS, self.commands)

    def format_help(self, ctx: Any, formatter: Any) -> None:
        """Write the help of the group, with the list of its commands."""
        self._list().format_help(ctx, formatter)

    def shell_complete(self, ctx: Any, incomplete: str) -> list[Any]:
        """Return the commands and options that begin like `incomplete`."""
        return self._list().shell_complete(ctx, incomplete)

    def _list(self) -> TyperGroup:
        commands: Any = self.commands
        return TyperGroup(
            name=self.name,
            commands=commands.listed(),
            params=self.params,
            help=self.help,
            epilog=self.epilog,
            context_settings=self.context_settings,
            rich_markup_mode=self.rich_markup_mode,
        )


def load_command(name: str, entry: Entry) -> Any:
    """Import a command of the table and return it as the command line runs it."""
    module, _, attribute = entry.where.partition(":")
    with _ending_at_once():
        found: Callable[..., None] | typer.Typer = getattr(import_module(module), attribute)
    holder = typer.Typer(pretty_exceptions_enable=False, add_completion=False)
    if isinstance(found, typer.Typer):
        holder.add_typer(found, name=name)
        group: Any = built(holder)
        command = group.commands[name]
    else:
        from kogge.terminal.options import help_text

        holder.command(name, help=help_text(found), epilog=CODES, cls=GivenOnceCommand)(found)
        command = built(holder)
    command.rich_help_panel = entry.panel
    return command


@contextmanager
def _ending_at_once() -> Iterator[None]:
    """Have Ctrl-C and SIGTERM end the program without a word, as before it listens (kogge.start).

    A library makes another error of an interruption in the middle of its import. What is ignored stays so.
    """
    raising = [
        number
        for number in (signal.SIGINT, signal.SIGTERM)
        if signal.getsignal(number) is signal.default_int_handler
    ]
    if threading.current_thread() is not threading.main_thread():
        raising = []
    for number in raising:
        signal.signal(number, signal.SIG_DFL)
    try:
        yield
    finally:
        for number in raising:
            signal.signal(number, signal.default_int_handler)


def _headline(name: str, entry: Entry) -> TyperCommand:
    return TyperCommand(name, help=entry.purpose, rich_help_panel=entry.panel)
