"""Read the rules of a mailbox's inbox, its automatic reply and its working hours: there is no delta for them.

One answer holds the reply and the working hours: a pass asks for both at once.

Source:
    https://learn.microsoft.com/graph/api/mailfolder-list-messagerules,
    https://learn.microsoft.com/graph/api/user-get-mailboxsettings
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from connectors.exchange.hours import hours_container, hours_reader
from connectors.exchange.replies import REPLY, reply_container, reply_reader
from connectors.exchange.rules import RULES, rule_container, rule_reader
from connectors.graph_api.client import GraphClient
from model.protocols import Container, Failed, Native, Page, Ref
from model.working_hours import HOURS


class SettingsReader:
    """Read rules, the reply and the working hours. Implements `connectors.graph_api.reader.ItemReader`."""

    def __init__(self, client: GraphClient) -> None:
        """Prepare; nothing is asked."""
        self._client = client
        self._sets = {
            RULES: rule_reader(self._read, "graph-rule"),
            REPLY: reply_reader(self._read_reply, "graph-reply"),
            HOURS: hours_reader(self._read_hours, "graph-hours"),
        }
        self._settings: Mapping[str, Any] | None = None

    def containers(self) -> Iterator[Container]:
        """Return the containers of rules, of the reply and of the working hours; asks nothing."""
        return iter([rule_container(), reply_container(), hours_container()])

    def changes(self, container: Container, cursor: str | None) -> Iterator[Page]:
        """List everything, or nothing if it is as it was at the cursor."""
        return self._sets[container.id].changes(cursor)

    def fetch(self, container: Container, refs: Iterable[Ref], *, bodies: bool) -> Iterator[Native | Failed]:
        """Read records; see `model.protocols.Source.fetch`. The format is that of the container."""
        return self._sets[container.id].fetch(refs, bodies=bodies)

    def _read(self) -> dict[str, bytes]:
        rules = {}
        rows = self._client.rows(f"{self._client.home}/mailFolders/inbox/messageRules")
        for place, row in enumerate(rows):
            id_ = str(row.get("id") or f"place-{place}")
            shown = {name: value for name, value in row.items() if not name.startswith("@")}
            rules[id_] = json.dumps({"item": shown}, sort_keys=True, ensure_ascii=False).encode()
        return rules

    def _read_reply(self) -> bytes | None:
        self._settings = settings = self._client.get(f"{self._client.home}/mailboxSettings")
        shown = _shown(settings.get("automaticRepliesSetting"))
        if shown.get("status") != "scheduled":
            shown = {name: value for name, value in shown.items() if not name.startswith("scheduled")}
        return _record(shown)

    def _read_hours(self) -> bytes | None:
        """Take what was read with the reply just before; ask where it was not, or was taken already."""
        settings, self._settings = self._settings, None
        if settings is None:
            settings = self._client.get(f"{self._client.home}/mailboxSettings")
        shown = _shown(settings.get("workingHours"))
        return _record(shown) if shown else None


def _shown(value: object) -> dict[str, Any]:
    held = value if isinstance(value, dict) else {}
    return {name: part for name, part in held.items() if not name.startswith("@")}


def _record(shown: Mapping[str, Any]) -> bytes:
    return json.dumps({"item": shown}, sort_keys=True, ensure_ascii=False).encode()
