"""A bare client of the practice Graph: one that asks what it is told to, and follows links."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import httpx
from servers.faulty.graph import FaultyGraph

Json = dict[str, Any]
IMMUTABLE = 'IdType="ImmutableId"'


class GraphAsker:
    """Asks for one user's mailbox, below /users/{user}."""

    def __init__(self, server: FaultyGraph, user: str, client: httpx.Client) -> None:
        self.server = server
        self.user = user
        self.client = client
        self.prefer = IMMUTABLE
        self.token = server.token()

    def get(self, path: str, prefer: str | None = None, token: str | None = None) -> httpx.Response:
        """path: below the user, or a whole address."""
        url = path if path.startswith("http") else f"{self.server.url}/users/{self.user}/{path}".rstrip("/")
        headers = {"Authorization": f"Bearer {token or self.token}"}
        wanted = ", ".join(one for one in (self.prefer, prefer) if one)
        if wanted:
            headers["Prefer"] = wanted
        return self.client.get(url, headers=headers)

    def json(self, path: str, prefer: str | None = None) -> Json:
        response = self.get(path, prefer)
        assert response.status_code == 200, response.text
        found: Json = response.json()
        return found

    def code(self, path: str, prefer: str | None = None, token: str | None = None) -> tuple[int, str]:
        """Status and code of a refusal."""
        response = self.get(path, prefer, token)
        return response.status_code, response.json()["error"]["code"]

    def all(self, path: str, prefer: str | None = None) -> list[Json]:
        """Every row of a collection or of one round of a delta."""
        return self.round(path, prefer)[0]

    def round(self, path: str, prefer: str | None = None) -> tuple[list[Json], str]:
        """Every row, and the deltaLink, "" where there is none."""
        rows: list[Json] = []
        while True:
            page = self.json(path, prefer)
            rows += page["value"]
            if "@odata.nextLink" not in page:
                return rows, page.get("@odata.deltaLink", "")
            path = page["@odata.nextLink"]

    def batch(self, *requests: Mapping[str, object]) -> dict[str, Json]:
        """The answers by the requests' ids."""
        response = self.client.post(
            f"{self.server.url}/$batch",
            json={"requests": requests},
            headers={"Authorization": f"Bearer {self.token}"},
        )
        assert response.status_code == 200, response.text
        return {one["id"]: one for one in response.json()["responses"]}


@contextmanager
def asking_graph(server: FaultyGraph, user: str) -> Iterator[GraphAsker]:
    with httpx.Client(timeout=20) as client:
        yield GraphAsker(server, user, client)
