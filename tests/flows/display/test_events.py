"""Events carry waves, random ids, counts and codes, and only where there is a Prefect."""

from __future__ import annotations

import socket
from typing import Any

import pytest
from prefect.events.worker import EventsWorker
from prefect.settings import PREFECT_API_URL, temporary_settings

from flows.display import prefect_events

API = "http://127.0.0.1:9/api"
WAVE = {
    "prefect.resource.id": "kogge.wave.pilot",
    "prefect.resource.role": "wave",
    "prefect.resource.name": "pilot",
}
"""A mailbox's events are in the list of its wave's events, too."""


@pytest.fixture
def emitted(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, dict[str, str], dict[str, Any]]]:
    found: list[tuple[str, dict[str, str], dict[str, Any]]] = []

    def emit(event: str, resource: dict[str, str], related: list[Any], payload: dict[str, Any]) -> None:
        assert related == ([] if "wave" in resource["prefect.resource.id"] else [WAVE])
        found.append((event, resource, payload))

    monkeypatch.setattr("prefect.events.emit_event", emit)
    return found


def test_a_wave_is_the_resource_of_its_events(emitted: list[Any]) -> None:
    with temporary_settings({PREFECT_API_URL: API}):
        prefect_events.tell("wave.started", "pilot", mailboxes=25)
    ((event, resource, payload),) = emitted
    assert event == "kogge.wave.started"
    assert resource["prefect.resource.id"] == "kogge.wave.pilot"
    assert payload == {"mailboxes": 25, "wave": "pilot"}


def test_a_mailbox_is_named_by_its_random_id(emitted: list[Any]) -> None:
    with temporary_settings({PREFECT_API_URL: API}):
        prefect_events.tell("mailbox.blocked", "pilot", mailbox="m-7f3a9c01", code="auth-refused")
    ((event, resource, payload),) = emitted
    assert event == "kogge.mailbox.blocked"
    assert resource["prefect.resource.id"] == "kogge.mailbox.m-7f3a9c01"
    assert resource["kogge.wave"] == "pilot"
    assert payload["code"] == "auth-refused"


@pytest.mark.parametrize("text", ["a@b.example", "Gehälter 2024", "NO such mailbox", "x" * 65, ""])
def test_what_could_be_a_persons_is_left_out(emitted: list[Any], text: str) -> None:
    with temporary_settings({PREFECT_API_URL: API}):
        prefect_events.tell("cutover.step", "pilot", code=text)
    assert emitted[0][2]["code"] == prefect_events.LEFT_OUT


def test_without_an_api_nothing_is_told(emitted: list[Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PREFECT_API_URL", raising=False)
    with temporary_settings(restore_defaults={PREFECT_API_URL}):
        prefect_events.tell("wave.started", "pilot")
    assert emitted == []


def test_what_a_server_never_takes_is_dropped(monkeypatch: pytest.MonkeyPatch) -> None:
    """The server is silent for good: without an end to it, nor would this process end."""
    prefect_events.farewell()  # to whatever ran before: what that cannot deliver is dropped
    assert not EventsWorker._instances
    monkeypatch.setattr(prefect_events, "FAREWELL_SECONDS", 1.0)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}/api"
        with temporary_settings({PREFECT_API_URL: url}):
            for number in range(20):
                prefect_events.tell("mailbox.verified", "pilot", mailbox=f"m-{number}")
            (service,) = EventsWorker._instances.values()
            assert not prefect_events.farewell()
    assert service._done_event is not None
    assert service._done_event.is_set()
    assert not EventsWorker._instances  # who tells something later begins anew, with the API of then
