"""Asks a Prefect server as any of its clients does."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

import httpx
from ready_prefect import LOGIN

from flows.deploy.server_login import header

PATIENCE = 400.0


@dataclass
class PrefectApi:
    """api: the address, with its path."""

    api: str

    def answered(self, method: str, path: str, body: object = None) -> httpx.Response:
        """Asks again while the server's SQLite is busy, as Prefect's own client does."""
        deadline = time.monotonic() + PATIENCE
        while True:
            answer = httpx.request(method, f"{self.api}{path}", json=body, headers=header(LOGIN), timeout=60)
            if answer.status_code != 503 or time.monotonic() > deadline:
                return answer
            time.sleep(1)

    def ask(self, method: str, path: str, body: object = None) -> Any:
        """What a successful answer says."""
        answer = self.answered(method, path, body)
        answer.raise_for_status()
        return answer.json() if answer.content else None

    def start(self, deployment: str, **parameters: object) -> str:
        """Begins a run of FLOW/DEPLOYMENT; its id."""
        found = self.ask("GET", f"/deployments/name/{deployment}")
        given = {"parameters": found["parameters"]["parameters"] | parameters}
        run = self.ask("POST", f"/deployments/{found['id']}/create_flow_run", {"parameters": given})
        return str(run["id"])
