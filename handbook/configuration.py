"""Write the reference of kogge.toml from the models that check it."""

from __future__ import annotations

import inspect
import re
import types
from collections.abc import Collection, Iterator, Mapping
from datetime import date
from pathlib import Path
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from connectors.catalogue.connector import named
from connectors.catalogue.entries import connectors
from connectors.settings import Secret, Tls
from connectors.smtp.settings import SmtpSettings
from engine.config.hooks import Hook
from engine.config.load import Config
from engine.config.mail_routes import MailServer
from engine.config.maintenance_windows import WindowSettings
from engine.config.planning import PlanRates
from handbook.commands import cell
from model.kinds import Kind

INTRO = """\
# Configuration: kogge.toml

This page is made from the program: it lists all settings. An unknown setting is refused, with its line.
`kogge init` writes a file that explains the usual settings. Relative paths are relative to the file. A secret
is named in the file and never written there: [how](#secrets).

"""
TABLES = {
    "ledger": "Where the ledger is kept.",
    "state": "Where one machine keeps its spool, its logs and the local Prefect server.",
    "network": "An HTTP proxy, for networks that only a proxy leads out of.",
    "gate": "How it is proven that source and target are one person's.",
    "invitation_probe": "Two accounts that are nobody's, to see whether a calendar server mails invitations.",
    "approval": "Who signs a wave's plan, and how many of them it takes.",
    "run": "How mailboxes are worked at.",
    "plan": "How `kogge plan` makes waves.",
    "admission": "How servers are spared.",
    "hooks": "What you do yourselves at a cutover.",
    "cutover": "How thoroughly a cutover verifies.",
    "verify": "How thoroughly a pass verifies.",
    "logging": "How log lines are written: for people, or as JSON.",
    "report": "What a report says beside the ledger's facts.",
    "notify": "How people are told of their move, by mail.",
    "evidence": "The key that wraps the keys of pseudonyms.",
    "prefect": "Where Prefect is, how work reaches workers, and whom it notifies.",
}
PARTS: tuple[tuple[str, str, type[BaseModel]], ...] = (
    (
        "[windows.NAME]",
        "The hours in which waves may run. waves.csv and `[plan]` call the window NAME.",
        WindowSettings,
    ),
    (
        "[plan] rates",
        "How fast one workload is assumed to move, until enough was measured.",
        PlanRates,
    ),
    (
        "[[hooks.freeze]] and [[hooks.release]]",
        "What you do yourselves at a cutover, in this order. `undo` of a freeze hook takes it back. It has "
        "the settings from `command` to `plain_http`.",
        Hook,
    ),
    (
        "[mail_routes] imap and submission",
        "For a [mail proxy](../mail-proxy.md). `imap` and `submission` each hold two servers, `old` and "
        "`new`, with these settings. `directory` (default `mail-routes`) gets the files.",
        MailServer,
    ),
    ("[notify] smtp", "The server that takes the mails and sends them on.", SmtpSettings),
    ("tls", "How a server's certificate is verified: a table within the server's own.", Tls),
)
SHARED = {
    "kind": "Which kind of system it is.",
    "host": "The host's name.",
    "port": "The port.",
    "url": "The address of the server.",
    "security": "TLS from the first byte, STARTTLS, or none (on this machine alone).",
    "auth": "How Kogge logs in.",
    "username": "The login; `{login}` and `{address}` are replaced by the account's.",
    "password": "The password, the token, or the app's secret.",
    "tls": "How the certificate is verified.",
    "master_separator": "What stands between the person's login and the master user's.",
    "timeout_seconds": "The longest wait for an answer.",
    "batch_items": "The most items of one batch.",
    "batch_bytes": "The most bytes of one batch.",
    "sync_items": "The most items of one page of a listing.",
    "bulk_items": "The most files of one request in bulk.",
    "bulk_bytes": "The most bytes of one request in bulk.",
    "chunk_bytes": "The size of a chunk.",
    "profile": "The product. It decides what Kogge knows of the server.",
    "app_id": 'The app\'s id, for `auth = "appapi"`.',
    "app_version": 'The app\'s version, for `auth = "appapi"`.',
    "appapi_version": "The version of AppAPI.",
    "tenant": "The tenant's id, or one of its domains.",
    "client_id": "The application's id.",
    "client_secret": "The application's secret, in place of a certificate.",
    "scope": "What the token is asked for.",
    "impersonation": "Whether one service account reads for everybody.",
    "user_agent": "The name by which Kogge introduces itself.",
    "key_password": "The password of the key.",
    "graph_url": "The address of Graph, for other clouds than the global one.",
    "authority": "The address of the sign-in, for other clouds than the global one.",
    "concurrent_requests": "Requests at once for one mailbox; four is Microsoft's own limit.",
    "requests_per_10_minutes": "Requests in ten minutes for one mailbox.",
    "method": "The HTTP method.",
}
"""The meaning of settings that say the same in every table, or whose model does not say it."""
TEXTS: dict[object, str] = {
    str: "text",
    int: "whole number",
    float: "number",
    bool: "true or false",
    Path: "file or folder",
    date: "date",
}


def page() -> str:
    """Return the page, as Markdown."""
    lines = [*_table("Above the first table", "", Config, names=("mailboxes", "addresses")), *_systems()]
    for name, about in TABLES.items():
        lines += _table(f"[{name}]", about, table_of(name))
    for title, about, model in PARTS:
        lines += _table(title, about, model)
    lines += _table("Secrets", SECRETS, Secret)
    return INTRO + "\n".join(lines).rstrip() + "\n"


SECRETS = """\
A secret is a table with exactly one of these. `{login}` and `{address}` are replaced by the account's, so
that one line serves many people: `password = { command = "app-password {login}" }`. A command is run without
a shell."""


def _systems() -> Iterator[str]:
    """Yield a table for each kind of source and target, with the tables of the file that take it."""
    tables: dict[str, list[str]] = {}
    for kind, one in connectors().items():
        places = ["`[source]` or `[source.WORKLOAD]`"] if one.reads else []
        places += [f"`[target.{each}]`" for each in Kind if each in one.writes]
        names = [f'{place} with `kind = "{kind}"`' for place in places]
        tables.setdefault(one.settings, []).extend(names)
    for entry, names in tables.items():
        model = named(entry)
        title = model.__name__.removesuffix("Settings")
        yield from _table(TITLES.get(title, title), "For " + "; ".join(names) + ".", model)


TITLES = {
    "Ews": "Exchange (EWS)",
    "Graph": "Microsoft 365 (Graph)",
    "Imap": "Mail and notes (IMAP)",
    "Dav": "Calendars, contacts and tasks (CalDAV, CardDAV)",
    "Agenda": "Calendars in eXo",
}


def _table(
    title: str, about: str, model: type[BaseModel], names: Collection[str] | None = None
) -> Iterator[str]:
    meanings = described(model)
    yield from (f"## {title}", "", *((about, "") if about else ()))
    yield from ("| Setting | Value | Default | Meaning |", "| --- | --- | --- | --- |")
    for name, field in model.model_fields.items():
        if names is None or name in names:
            value, default = cell(_value(field)), cell(_default(field))
            yield f"| `{name}` | {value} | {default} | {cell(meanings[name])} |"
    yield ""


def described(model: type[BaseModel]) -> dict[str, str]:
    """Return the meaning of each setting of a table: as the model says it, else as all tables share it."""
    told = dict(_attributes(model))
    meanings = {}
    for name, field in model.model_fields.items():
        meanings[name] = _sentence(told.get(name) or field.description or SHARED.get(name, ""))
    return meanings


def _sentence(text: str) -> str:
    """Return a note of the source as a sentence for readers who do not know Python."""
    text = re.sub(r"\bNone\b", "not set", text.replace("ENVIRONMENT", '"environment"'))
    if text.startswith("https://") and " " not in text:
        return f"Such as `{text}`."
    first = text.split(" ")[0]
    begin = text if "/" in first or ":" in first else text[:1].upper() + text[1:]
    return begin if not begin or begin.endswith(".") else f"{begin}."


def _attributes(model: type[BaseModel]) -> Iterator[tuple[str, str]]:
    """Yield each setting that a docstring names below "Attributes:", with its meaning; of bases as well."""
    for base in reversed(model.__mro__):
        doc = inspect.cleandoc(base.__dict__.get("__doc__") or "")
        _, _, listed = doc.partition("Attributes:\n")
        for name, text in re.findall(r"^    (\w+): (.+(?:\n {8}.+)*)", listed, re.MULTILINE):
            yield name, " ".join(text.split())


def _value(field: FieldInfo) -> str:
    limits = [
        f"{word} {getattr(one, attribute):,}"
        for one in _limits(field)
        for attribute, word in (("ge", "from"), ("gt", "above"), ("le", "to"), ("lt", "below"))
        if getattr(one, attribute, None) is not None
    ]
    return " ".join([_type(field.annotation), *limits])


def _limits(field: FieldInfo) -> Iterator[Any]:
    """Yield what limits a value, also within an optional one."""
    yield from field.metadata
    for one in get_args(field.annotation):
        if get_origin(one) is Annotated:
            for limit in get_args(one)[1:]:
                yield from getattr(limit, "metadata", (limit,))


def _type(annotation: Any) -> str:
    """Return what a setting takes, in words."""
    origin, parts = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        return _type(parts[0])
    if origin is Literal:
        return ", ".join(f"`{part}`" for part in parts)
    if origin in (Union, types.UnionType):
        return " or ".join(dict.fromkeys(_type(part) for part in parts if part is not type(None)))
    if origin in (tuple, list, set, frozenset):
        return f"list of {_type(parts[0])}"
    if origin is not None:
        return "table"
    if inspect.isclass(annotation) and issubclass(annotation, BaseModel):
        return SECTIONS.get(annotation, "table")
    return TEXTS.get(annotation, "table")


SECTIONS: dict[type[BaseModel], str] = {Secret: "[secret](#secrets)", Tls: "[table](#tls)"}


def _default(field: FieldInfo) -> str:
    if field.is_required():
        return "must be given"
    default = field.get_default(call_default_factory=True)
    if default is None or default == "" or isinstance(default, BaseModel | Mapping | tuple):
        return "" if not default or isinstance(default, BaseModel) else f"`{list(default)}`"
    if isinstance(default, bool):
        return f"`{str(default).lower()}`"
    if isinstance(default, int | float):
        return f"`{default:_}`" if default > 9999 and default == int(default) else f"`{default:g}`"
    return f"`{default}`"


def table_of(name: str) -> type[BaseModel]:
    """Return the model of a table of kogge.toml."""
    annotation = Config.model_fields[name].annotation
    kinds = (annotation, *get_args(annotation))
    return next(one for one in kinds if inspect.isclass(one) and issubclass(one, BaseModel))
