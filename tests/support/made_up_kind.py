"""Run commands in a process in which there is one kind more: "toys", which look like mail.

It is run as a program: its arguments are a list of commands, each with its own arguments, as JSON. It prints
the exit code of each command, and what it said.
"""

from __future__ import annotations

import contextlib
import io
import json
import sys
from collections.abc import Iterable, Iterator
from dataclasses import replace

from model import kinds
from model.kinds import KINDS, Kind

WORD = "toys"


def add_to_kinds() -> Kind:
    """Return the new member; every module that is imported from now on finds it in Kind and in KINDS."""
    toys = str.__new__(Kind, WORD)
    toys._name_, toys._value_ = WORD.upper(), WORD
    Kind._member_map_[toys._name_] = Kind._value2member_map_[WORD] = toys
    Kind._member_names_.append(toys._name_)
    facts = {"noun": "toy", "nouns": WORD, "column": "toy", "permission": ""}
    kinds.KINDS = {**KINDS, toys: replace(KINDS[Kind.MAIL], **facts)}  # type: ignore[misc]
    return toys


def add_to_connectors(toys: Kind) -> None:
    """Let IMAP read toys, in the place of mail, and write them."""
    from connectors.catalogue import entries
    from connectors.imap import connector
    from connectors.imap.settings import ImapSettings
    from connectors.imap.source import ImapSource
    from model.protocols import Container

    class ToySource(ImapSource):
        def containers(self) -> Iterable[Container]:
            return [replace(one, kind=toys) for one in super().containers()]

    (imap,) = connector.CONNECTORS

    def opened(settings: ImapSettings, request: connector.SourceRequest) -> ImapSource:
        return ToySource(settings, request.account, request.spool)

    connector.CONNECTORS = (
        replace(imap, reads=frozenset({toys}), writes=imap.writes | {toys}, open_source=opened),
    )
    entries.connectors.cache_clear()


def add_to_mappings(toys: Kind) -> None:
    """Toys are mapped as mail is, and lose the same."""
    from mappings import registry
    from mappings.losses import catalogue

    mails = {form: described for (kind, form), described in registry.FORMS.items() if kind is Kind.MAIL}
    registry.FORMS = {**registry.FORMS, **{(toys, form): described for form, described in mails.items()}}
    registry.ITEM_FORMS[toys] = replace(registry.ITEM_FORMS[Kind.MAIL], kind=toys)  # type: ignore[index]
    catalogue.DECLARED[toys] = catalogue.DECLARED[Kind.MAIL]  # type: ignore[index]


def said(commands: Iterable[list[str]]) -> Iterator[tuple[int, str]]:
    """Yield the exit code and the words of each command."""
    from kogge.app import main

    for words in commands:
        text, code = io.StringIO(), 0
        with contextlib.redirect_stdout(text), contextlib.redirect_stderr(text):
            try:
                main(words)
            except SystemExit as ended:
                code = int(ended.code or 0)
        yield code, text.getvalue()


if __name__ == "__main__":
    kind = add_to_kinds()
    add_to_connectors(kind)
    add_to_mappings(kind)
    json.dump(list(said(json.loads(sys.argv[1]))), sys.__stdout__)
