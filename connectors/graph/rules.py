"""Read the rules of a mailbox's inbox: there is no delta for them.

Source:
    https://learn.microsoft.com/graph/api/mailfolder-list-messagerules
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator

from connectors.exchange.rules import rule_container, rule_reader
from connectors.graph_api.client import GraphClient
from model.protocols import Container, Failed, Native, Page, Ref


class InboxRuleReader:
    """Read rules. Implements `connectors.graph_api.reader.ItemReader`."""

    def __init__(self, client: GraphClient) -> None:
        """Prepare; nothing is asked."""
        self._client = client
        self._reader = rule_reader(self._read, "graph-rule")

    def containers(self) -> Iterator[Container]:
        """Return the one container of rules; asks nothing."""
        return iter([rule_container()])

    def changes(self, container: Container, cursor: str | None) -> Iterator[Page]:
        """List every rule, or nothing if they are as they were at the cursor."""
        del container  # a mailbox has one
        return self._reader.changes(cursor)

    def fetch(self, container: Container, refs: Iterable[Ref], *, bodies: bool) -> Iterator[Native | Failed]:
        """Read rules; see `model.protocols.Source.fetch`. The format is "graph-rule"."""
        del container  # a mailbox has one
        return self._reader.fetch(refs, bodies=bodies)

    def _read(self) -> dict[str, bytes]:
        rules = {}
        rows = self._client.rows(f"{self._client.home}/mailFolders/inbox/messageRules")
        for place, row in enumerate(rows):
            id_ = str(row.get("id") or f"place-{place}")
            shown = {name: value for name, value in row.items() if not name.startswith("@")}
            rules[id_] = json.dumps({"item": shown}, sort_keys=True, ensure_ascii=False).encode()
        return rules
