"""Read the rules of a mailbox's inbox and its automatic reply: there is no delta for them.

Source:
    https://learn.microsoft.com/graph/api/mailfolder-list-messagerules,
    https://learn.microsoft.com/graph/api/user-get-mailboxsettings
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator

from connectors.exchange.replies import REPLY, reply_container, reply_reader
from connectors.exchange.rules import RULES, rule_container, rule_reader
from connectors.graph_api.client import GraphClient
from model.protocols import Container, Failed, Native, Page, Ref


class SettingsReader:
    """Read rules and the automatic reply. Implements `connectors.graph_api.reader.ItemReader`."""

    def __init__(self, client: GraphClient) -> None:
        """Prepare; nothing is asked."""
        self._client = client
        self._sets = {
            RULES: rule_reader(self._read, "graph-rule"),
            REPLY: reply_reader(self._read_reply, "graph-reply"),
        }

    def containers(self) -> Iterator[Container]:
        """Return the containers of rules and of the reply; asks nothing."""
        return iter([rule_container(), reply_container()])

    def changes(self, container: Container, cursor: str | None) -> Iterator[Page]:
        """List everything, or nothing if it is as it was at the cursor."""
        return self._sets[container.id].changes(cursor)

    def fetch(self, container: Container, refs: Iterable[Ref], *, bodies: bool) -> Iterator[Native | Failed]:
        """Read records; see `model.protocols.Source.fetch`. The formats are "graph-rule", "graph-reply"."""
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
        setting = self._client.get(f"{self._client.home}/mailboxSettings/automaticRepliesSetting")
        shown = {name: value for name, value in setting.items() if not name.startswith("@")}
        if shown.get("status") != "scheduled":
            shown = {name: value for name, value in shown.items() if not name.startswith("scheduled")}
        return json.dumps({"item": shown}, sort_keys=True, ensure_ascii=False).encode()
