"""Keep the words of servers, which can carry a person's address, and noise of Prefect out of logs."""

from __future__ import annotations

import logging

TALKATIVE = ("exchangelib", "imapclient", "urllib3", "requests", "oauthlib", "spnego", "caldav")
"""Libraries that log what servers say, and URLs with logins."""

SERVICES = ("EventsWorker", "APILogWorker")
"""Prefect's threads that send reports. That they still do so when a command ends is no warning."""

UNSENT = {
    "prefect._internal.concurrency": "Service %r failed to process item",
    "prefect.events.clients": "Unable to connect to %r",
}
"""By logger, how a line begins that shows a report which could not be sent, with all that is in it: two for
each workload while Prefect's server is away."""

ENGINES = ("prefect.flow_runs", "prefect.task_runs")
"""The loggers of Prefect's engines. A filter of a logger sees what that logger logs, not what the loggers
below it log."""

FINISHED = "Finished in state "
ALARMING = ("Failed", "Crashed", "Unfinished", "CanaryFailed")
LEFT_OPEN = "Incomplete"
"""The end of a batch or a wave that left something for a person or for a later run."""


class Plain(logging.Filter):
    """Correct the level of Prefect's records, and drop tracebacks without an exception.

    Prefect logs an error with the traceback `NoneType: None` for every state that a task returns. It logs
    every end but Completed as an error, such as that of a run that a person suspended, or of a batch in which
    a mailbox is blocked.
    """

    def filter(self, record: logging.LogRecord) -> bool:
        """Correct a record. Return True: every record is logged."""
        if record.exc_info and record.exc_info[0] is None:
            record.exc_info = None
        text = str(record.msg)
        end = text.removeprefix(FINISHED)
        if end != text and not end.startswith(ALARMING):
            record.levelno = logging.WARNING if end.startswith(LEFT_OPEN) else logging.INFO
            record.levelname = logging.getLevelName(record.levelno)
        return True


class Unsent(logging.Filter):
    """Drop the lines about reports that could not be sent. Prefect ignores the level of such a logger."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Return True if the record is logged."""
        return not str(record.msg).startswith(UNSENT[record.name])


def quieten() -> None:
    """Set the levels and filters for the life of this process, in every command and every run of a worker."""
    for name in TALKATIVE:
        logging.getLogger(name).setLevel(logging.CRITICAL)
    for name in SERVICES:
        logging.getLogger(name).setLevel(logging.ERROR)
    for name in (*ENGINES, *UNSENT):
        logger, kind = logging.getLogger(name), Unsent if name in UNSENT else Plain
        if not any(isinstance(entry, kind) for entry in logger.filters):
            logger.addFilter(kind())
