"""Write log lines as JSON, one object a line, for programs that collect logs.

What a line may say is the same as in text: random ids, waves, workloads, counts and codes. Of an exception it
has the class and the place, and not the text, which may quote a server.
"""

from __future__ import annotations

import json
import logging
import sys
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from engine.control.error_log import describe

if TYPE_CHECKING:
    from engine.config.load import Config
    from ledger.db.rows import LegState

FIELDS = ("wave", "mailbox", "workload", "state", "code", "seconds", "flow_run_name", "task_run_name")
"""What a record may carry beside its message."""
COMMAND = logging.getLogger("kogge.command")
LEGS = logging.getLogger("kogge.leg")
DEFECTS = logging.getLogger("kogge.defect")
NEEDS_A_LOOK = ("blocked", "differs", "waiting")
"""States of a workload that are logged as warnings."""
PREFECT_ENVIRONMENT = {
    "PREFECT_LOGGING_HANDLERS_CONSOLE_FORMATTER": "json",
    "PREFECT_LOGGING_FORMATTERS_JSON_CLASS": "engine.control.json_log.JsonFormatter",
    "PREFECT_LOGGING_COLORS": "false",
}
"""With it, a process of Prefect writes JSON from its first line on, before Kogge's code begins."""


class JsonFormatter(logging.Formatter):
    """Format a record as one JSON object.

    Attributes:
        wave: the wave that this process works on, for records that name none.
    """

    wave: str | None = None

    def __init__(self, *_given: object, **_named: object) -> None:
        super().__init__()

    def format(self, record: logging.LogRecord) -> str:
        """Return the line."""
        moment = datetime.fromtimestamp(record.created, UTC)
        line: dict[str, object] = {
            "time": moment.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        if self.wave is not None:
            line["wave"] = self.wave
        line |= {name: value for name in FIELDS if (value := getattr(record, name, None)) not in (None, "")}
        if record.exc_info and record.exc_info[1] is not None:
            line["error"] = describe(record.exc_info[1])
        return json.dumps(line, ensure_ascii=False, default=str)


_formatter = JsonFormatter()


class StandardError(logging.StreamHandler):  # type: ignore[type-arg]
    """Write to standard error as it is now: a test, or a library, may have replaced it.

    Prefect leaves the root logger to a handler whose class has a public name.
    """

    def __init__(self) -> None:
        super().__init__()
        self.setFormatter(_formatter)

    def emit(self, record: logging.LogRecord) -> None:
        """Write a record."""
        self.stream = sys.stderr
        super().emit(record)


_handler = StandardError()


def use(config: Config) -> None:
    """Write the log lines of this process as the configuration says. Idempotent. JSON stays JSON."""
    if config.logging.format == "json":
        switch_on()


def switch_on() -> None:
    """Write all log lines of this process as JSON on standard error, also those of libraries. Idempotent."""
    root = logging.getLogger()
    for name in ("", *logging.root.manager.loggerDict):
        logger = logging.getLogger(name)
        for handler in [one for one in logger.handlers if _is_console(one)]:
            logger.removeHandler(handler)
            logger.propagate = True
    if _handler not in root.handlers:
        root.addHandler(_handler)
    logging.getLogger("kogge").setLevel(logging.INFO)
    if _handler not in DEFECTS.handlers:  # it has a private file, and does not go on to the root
        DEFECTS.addHandler(_handler)
        DEFECTS.propagate = False


def is_on() -> bool:
    """Return True if log lines are JSON."""
    return _handler in logging.getLogger().handlers


def note_wave(wave: str) -> None:
    """Name the wave in every later line of this process that names none itself."""
    _formatter.wave = wave


def _is_console(handler: logging.Handler) -> bool:
    streams = (sys.stdout, sys.stderr, sys.__stdout__, sys.__stderr__)
    is_ours = handler is _handler
    return isinstance(handler, logging.StreamHandler) and not is_ours and handler.stream in streams


def log_leg(
    message: str,
    *,
    wave: str,
    mailbox: str,
    workload: str,
    state: LegState | None = None,
    code: str | None = None,
    seconds: float | None = None,
) -> None:
    """Log what became of a workload, if log lines are JSON. In text, screens and Prefect tell it."""
    if is_on():
        named = {"wave": wave, "mailbox": mailbox, "workload": workload, "code": code}
        more = {
            "state": None if state is None else state.value,
            "seconds": None if seconds is None else round(seconds, 3),
        }
        level = logging.WARNING if state in NEEDS_A_LOOK or state is None else logging.INFO
        LEGS.log(level, message, extra={**named, **more})
