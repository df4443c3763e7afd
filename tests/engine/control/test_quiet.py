"""Logs: no words of servers, no traceback of nothing, no alarm about what somebody asked for."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator

import pytest
from prefect._internal.concurrency.services import QueueService
from prefect.events.clients import PrefectEventsClient
from prefect.events.worker import EventsWorker
from prefect.logging.handlers import APILogWorker
from prefect.settings import PREFECT_API_URL, temporary_settings
from prefect.states import Cancelled, Failed, Suspended

from engine.control.log_filter import ENGINES, SERVICES, TALKATIVE, UNSENT, quieten
from kogge.app import main


class Keep(logging.Handler):
    """Keeps what is logged."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[logging.LogRecord] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.seen.append(record)


@pytest.fixture
def loud() -> Iterator[None]:
    before = {name: logging.getLogger(name).level for name in TALKATIVE}
    for name in TALKATIVE:
        logging.getLogger(name).setLevel(logging.DEBUG)
    yield
    for name, level in before.items():
        logging.getLogger(name).setLevel(level)


@pytest.mark.usefixtures("loud")
def test_every_command_silences_libraries_that_log_what_servers_say() -> None:
    with pytest.raises(SystemExit):
        main(["--version"])
    assert {logging.getLogger(name).level for name in TALKATIVE} == {logging.CRITICAL}


def test_reports_that_were_not_sent_are_not_shown_in_full(monkeypatch: pytest.MonkeyPatch) -> None:
    """Lines as Prefect's own service and client write them while their server is away."""

    class Sender(QueueService[str]):
        async def _handle(self, item: str) -> None:
            raise ConnectionError

        def _prepare_item(self, item: str) -> str:
            return item

    quieten()
    kept = Keep()
    for name in UNSENT:
        monkeypatch.setattr(logging.getLogger(name), "handlers", [kept])
    sender = Sender.instance()
    sender.send("m-1 and all that is known of it")
    sender.drain(5)
    with temporary_settings({PREFECT_API_URL: "http://127.0.0.1:9/api"}):
        PrefectEventsClient()._log_connection_error(ConnectionError())
    for name in UNSENT:
        logging.getLogger(name).error("another line")
    assert [record.getMessage() for record in kept.seen] == ["another line"] * len(UNSENT)


@pytest.mark.parametrize("name", ENGINES)
def test_ends_in_prefects_log(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    quieten()
    quieten()
    logger = logging.getLogger(name)
    kept = Keep()
    seen = kept.seen
    monkeypatch.setattr(logger, "handlers", [kept])
    logger.error("Task run failed", exc_info=True)
    for state in (Suspended(), Cancelled(name="Stopped"), Failed(), Failed(name="Incomplete")):
        logger.error(f"Finished in state {state}")
    assert [record.levelname for record in seen] == ["ERROR", "INFO", "INFO", "ERROR", "WARNING"]
    assert "NoneType" not in logging.Formatter().format(seen[0])


@pytest.mark.parametrize("name", SERVICES)
def test_what_prefect_still_sends_at_the_end_is_no_warning(
    name: str, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its services log by the names of their classes."""

    async def handle(_service: QueueService[int], _item: int) -> None:
        time.sleep(0.05)

    monkeypatch.setattr(logging.getLogger(name), "level", logging.NOTSET)
    quieten()
    service = type(name, (QueueService,), {"_handle": handle}).instance()  # type: ignore[attr-defined]
    for number in range(4):
        service.send(number)
    service.drain()
    assert [record for record in caplog.records if record.name == name] == []


def test_the_names_of_prefects_services() -> None:
    assert {EventsWorker.__name__, APILogWorker.__name__} == set(SERVICES)
