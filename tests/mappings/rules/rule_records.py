"""Rules as EWS and Graph give them, from the tables beside this file, and the mailbox that they belong to."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path
from typing import Any

from lxml import etree
from servers.sieve_runs import EXTENSIONS

from mappings.fields.ews_xml import SPACES
from mappings.rules.ews_rule import ews_rule
from mappings.rules.fit_rule import RuleContext
from mappings.rules.graph_rule import graph_rule
from mappings.rules.rule import Rule
from mappings.rules.sieve_tests import People
from model.sieve_limits import SieveLimits

HERE = Path(__file__).parent
Case = dict[str, Any]
OWNER = frozenset({"anna@new.example", "anna.alias@new.example"})
DIRECTORY = {"/o=land/cn=recipients/cn=erika": "erika@new.example"}
FOLDERS = {"F-1": "Archiv/Grün", "deleteditems": "Trash", "inbox": "INBOX"}
EWS = """\
<Rule xmlns="{types}"><RuleId>dCsAAABjzvA=</RuleId><DisplayName>R</DisplayName><Priority>{place}</Priority>\
<IsEnabled>{enabled}</IsEnabled>{parts}</Rule>"""


def table(name: str) -> list[Case]:
    """The cases of a table."""
    return list(tomllib.loads((HERE / f"{name}s.toml").read_text(encoding="utf-8"))[name])


def mailbox(**changed: Any) -> RuleContext:
    """Anna's mailbox, on a Pigeonhole as it is delivered; changed: limits of the server."""
    return RuleContext(
        FOLDERS, People(OWNER, DIRECTORY), SieveLimits(**{"extensions": EXTENSIONS, **changed})
    )


def by_ews(
    conditions: str = "",
    exceptions: str = "",
    actions: str = "<StopProcessingRules>true</StopProcessingRules>",
    *,
    number: int = 1,
    enabled: str = "true",
    more: str = "",
) -> Rule:
    """A rule of these elements; empty ones are absent, as servers leave them out."""
    parts = (("Conditions", conditions), ("Exceptions", exceptions), ("Actions", actions))
    inner = more + "".join(f"<{tag}>{one}</{tag}>" for tag, one in parts if one)
    return ews_rule(
        etree.fromstring(EWS.format(types=SPACES["t"], place=number, enabled=enabled, parts=inner))
    )


def by_graph(
    conditions: str = "", exceptions: str = "", actions: str = '{"stopProcessingRules": true}', **more: Any
) -> Rule:
    """The same rule as Graph says it."""
    parts = {"conditions": conditions, "exceptions": exceptions, "actions": actions}
    read = {name: json.loads(one) if one else None for name, one in parts.items()}
    plain = {"id": "dCsAAABjzvA=", "displayName": "R", "sequence": 1, "isEnabled": True, "hasError": False}
    return graph_rule({**plain, "isReadOnly": False, **read, **more})
