"""Keep the words of servers, which can carry a person's address, and noise of Prefect out of logs."""

from __future__ import annotations

import logging

TALKATIVE = ("exchangelib", "imapclient", "urllib3", "requests", "oauthlib", "spnego", "caldav")
"""Libraries that log what servers say, and URLs with logins."""

SERVICES = ("EventsWorker", "APILogWorker")
"""Prefect's threads that send reports. That they still do so when a command ends is no warning."""

ENGINES = ("prefect.flow_runs", "prefect.task_runs")
"""The loggers of Prefect's engines. A filter of a logger sees what that logger logs, not what the loggers
below it log."""

FINISHED = "Finished in state "
ALARMING = ("Failed", "Crashed", "Unfinished", "Incomplete", "CanaryFailed")


class Plain(logging.Filter):
    """Correct the level of Prefect's records, and drop tracebacks without an exception.

    Prefect logs an error with the traceback `NoneType: None` for every state that a task returns. It logs
    every end but Completed as an error, such as that of a run that a person suspended.
    """

    def filter(self, record: logging.LogRecord) -> bool:
        """Correct a record. Return True: every record is logged."""
        if record.exc_info and record.exc_info[0] is None:
            record.exc_info = None
        text = str(record.msg)
        if text.startswith(FINISHED) and not text.removeprefix(FINISHED).startswith(ALARMING):
            record.levelno, record.levelname = logging.INFO, "INFO"
        return True


def quieten() -> None:
    """Set the levels and filters for the life of this process, in every command and every run of a worker."""
    for name in TALKATIVE:
        logging.getLogger(name).setLevel(logging.CRITICAL)
    for name in SERVICES:
        logging.getLogger(name).setLevel(logging.ERROR)
    for name in ENGINES:
        logger = logging.getLogger(name)
        if not any(isinstance(entry, Plain) for entry in logger.filters):
            logger.addFilter(Plain())
