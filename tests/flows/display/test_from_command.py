"""What commands show in a Prefect that runs; without one nothing is shown or started."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from pathlib import Path
from typing import Any

import prefect
import pytest

from engine.config.load import Config, load
from flows.deploy import prefect_server
from flows.display import from_command
from flows.display.from_command import show_links, telling
from kogge.approve.decisions import _show_pages
from ledger.db.rows import Phase
from ledger.plan.mailboxes import PlannedMailbox
from ledger.store import Ledger
from model.kinds import Kind

SIDES = '[source]\nkind = "imap"\nhost = "h"\nusername = "x"\npassword = { env = "X" }\n'


@pytest.fixture
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Config:
    monkeypatch.setenv("PREFECT_API_URL", "http://127.0.0.1:9/api")
    (tmp_path / "kogge.toml").write_text(SIDES + SIDES.replace("source", "target.mail"))
    return load(tmp_path / "kogge.toml")


def test_without_a_prefect_nothing_is_shown(config: Config) -> None:
    assert not show_links(config, "pilot", {"moved": 3})


def test_without_any_address_the_local_server_is_asked_and_not_started(
    config: Config, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("PREFECT_API_URL")
    assert not show_links(config, "pilot", {"moved": 3})
    assert not prefect_server.home(config.state_directory).exists()


@pytest.mark.parametrize("fails", [False, True])
def test_counts_are_shown_and_a_prefect_that_fails_ends_nothing(
    config: Config, monkeypatch: pytest.MonkeyPatch, fails: bool
) -> None:
    made: list[Any] = []

    class Client:
        async def create_artifact(self, artifact: Any) -> None:
            if fails:
                raise OSError
            made.append(artifact)

    @asynccontextmanager
    async def client() -> AsyncIterator[Client]:
        yield Client()

    monkeypatch.setattr(prefect_server, "answers", lambda _url: True)
    monkeypatch.setattr(prefect, "get_client", client)
    assert show_links(config, "pilot", {"moved": 3, "gone": 1})
    assert [one.key for one in made] == ([] if fails else ["links-pilot"])
    assert all(one.description.startswith("links: 3 moved, 1 gone (") for one in made)


def test_events_reach_a_prefect_that_runs_and_the_environment_is_as_before(
    config: Config, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(prefect_server, "answers", lambda _url: True)
    monkeypatch.setattr("flows.display.prefect_events.farewell", lambda: True)
    monkeypatch.delenv("PREFECT_API_URL")
    settings = config.prefect.model_copy(update={"api_url": "http://127.0.0.1:9/api"})
    running = config.model_copy(update={"prefect": settings})
    with telling(running):
        assert os.environ["PREFECT_API_URL"] == "http://127.0.0.1:9/api"
    assert "PREFECT_API_URL" not in os.environ


def test_a_phase_that_a_command_sets_is_on_the_page_of_the_cutover(
    config: Config, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shown: list[tuple[object, ...]] = []
    monkeypatch.setattr(prefect_server, "answers", lambda _url: True)

    def show(_config: Config, *what: object) -> bool:
        shown.append(what)
        return True

    monkeypatch.setattr(from_command, "_show", show)
    with closing(Ledger(f"sqlite:///{tmp_path}/ledger.db")) as ledger:
        ledger.migrate()
        mail = frozenset({Kind.MAIL})
        moved = ledger.add_mailboxes([PlannedMailbox("a@a", "a@b", "pilot", Phase.LIVE, mail)])
        _show_pages(config, ledger, [str(one) for one in moved])
        _show_pages(config, ledger, [])
    ((key, told, _),) = shown
    assert key == ("cutover", "pilot")
    assert str(told).startswith("1 of 1 mailbox live (")
