"""Contain defects of our own, and decide what a log may say about one."""

from __future__ import annotations

import logging
import sys
import threading
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from io import TextIOWrapper
from pathlib import Path
from types import TracebackType

from engine.control.stop_signal import StopRequested
from model.errors import MigrationError, Misconfigured
from model.private_files import FULL, make_directory, open_private

FRAMES = 10
INTERNAL = "internal-error"
_ONCE: set[str] = set()
"""What `spare` has logged in this process."""


class Defect(MigrationError):
    """State that our own code has a defect. It is logged, and what it said is left out."""

    def __init__(self) -> None:
        super().__init__(INTERNAL)


@contextmanager
def contain_defects(where: str) -> Iterator[None]:
    """Keep a defect within the mailbox that met it: log it, and raise an error with a code in its place.

    Args:
        where: names the mailbox or the leg in the log of defects; never its address.

    Raises:
        Defect: `internal-error`, for whatever exception is no error of ours.
        MigrationError: as the block raises it; that is no defect.
        StopRequested: as the block raises it.
    """
    try:
        yield
    except (MigrationError, StopRequested):
        raise
    except Exception as error:  # noqa: BLE001 (the mailbox boundary)
        mailbox = {"mailbox": where.rpartition(" ")[2]}
        logging.getLogger("kogge.defect").error("%s: %s", where, describe(error), extra=mailbox)
        raise Defect() from None


@contextmanager
def spare(where: str) -> Iterator[None]:
    """End a defect here, in what only shows: no work may stop because of it.

    The log of defects has it once in each process, however often it is met.

    Args:
        where: names what is shown; never a person.
    """
    try:
        yield
    except Exception as error:  # noqa: BLE001 (the boundary of what only shows)
        line = f"{where}: {describe(error)}"
        innermost = line.partition(" < ")[0]
        if innermost not in _ONCE:
            _ONCE.add(innermost)
            logging.getLogger("kogge.defect").error("%s", line)


def hook(tell: Callable[[str], None]) -> None:
    """Make this process report an uncaught defect in one line, through `tell`; also one in a thread.

    The exception's text may quote a person's data, and is left out.
    """

    def told(_kind: type[BaseException], error: BaseException, _trace: TracebackType | None) -> None:
        line, logger = describe(error), logging.getLogger("kogge.defect")
        if logger.hasHandlers():  # else Python would print it as well
            logger.error("%s", line)
        tell(line)

    def told_of_thread(args: threading.ExceptHookArgs) -> None:
        if args.exc_value is not None and not isinstance(args.exc_value, SystemExit):
            told(args.exc_type, args.exc_value, args.exc_traceback)

    sys.excepthook = told
    threading.excepthook = told_of_thread


def describe(error: BaseException) -> str:
    """Return the error's class and where it happened, innermost first.

    The error's text is left out: it may quote a person's data, or a server that does.
    """
    stack = traceback.extract_tb(error.__traceback__)[-FRAMES:]
    frames = [f"{Path(frame.filename).name}:{frame.lineno} {frame.name}" for frame in reversed(stack)]
    return f"{type(error).__name__} at {' < '.join(frames)}"


class _PrivateLog(logging.FileHandler):
    """Write a log with mode 0600, whatever the umask of the process is."""

    def _open(self) -> TextIOWrapper:
        return open(self.baseFilename, "a", encoding="utf-8", opener=open_private)


@contextmanager
def defect_log(state: Path) -> Iterator[None]:
    """Log where defects of our own code happen, in a file that only the operator can read.

    Nested contexts for one directory add nothing.

    Raises:
        Misconfigured: the folder of the log cannot be made.
    """
    path = (state / "logs" / "defects.log").resolve()
    logger = logging.getLogger("kogge.defect")
    if any(isinstance(entry, _PrivateLog) and entry.baseFilename == str(path) for entry in logger.handlers):
        yield
        return
    try:
        make_directory(path.parent)
    except OSError as error:
        why = "no space is left" if error.errno in FULL else "see its rights, and its mount"
        raise Misconfigured(
            "[state] directory", f"the folder of the logs cannot be made there: {why}"
        ).with_local_cause(str(path.parent)) from None
    handler = _PrivateLog(path, delay=True)
    logger.addHandler(handler)
    logger.propagate = False
    try:
        yield
    finally:
        logger.removeHandler(handler)
        handler.close()
