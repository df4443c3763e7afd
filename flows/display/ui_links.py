"""Addresses within Prefect's UI, each of which opens the page that a text speaks of, in both of its UIs."""

from __future__ import annotations

from urllib.parse import quote
from uuid import UUID

from prefect.settings import PREFECT_UI_URL


def base() -> str:
    """Return the address of the UI of the API in use; "" if Prefect knows none."""
    return (PREFECT_UI_URL.value() or "").rstrip("/")


def runs_of(ui: str, wave: str) -> str:
    """Return the address of the list of a wave's runs. Its older UI calls the filter tag, the newer tags."""
    tag = quote(f"wave:{wave}")
    return f"{ui}/runs?tag={tag}&tags={tag}"


def tasks_of(ui: str, mailbox: str) -> str:
    """Return the address of the list of a mailbox's tasks, by its random id."""
    return f"{ui}/runs?tab=task-runs&task-run-search={quote(mailbox)}"


def version(ui: str, number: UUID) -> str:
    """Return the address of one version of an artifact, which shows its text at once."""
    return f"{ui}/artifacts/artifact/{number}"


def artifact(ui: str, key: str) -> str:
    """Return the address of an artifact's versions, the newest first."""
    return f"{ui}/artifacts/key/{quote(key)}"


def linked(text: str, address: str) -> str:
    """Return a Markdown link; the text alone if the address begins with no UI."""
    return text if address.startswith("/") else f"[{text}]({address})"
