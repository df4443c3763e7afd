"""List and fetch the working hours of a mailbox: one container with at most one record."""

from __future__ import annotations

from collections.abc import Callable

from connectors.exchange.record_set import Record, RecordSetReader
from model.kinds import Kind
from model.protocols import Container
from model.working_hours import HOURS

PATH = ("Working hours",)


def hours_container() -> Container:
    """Return the container that holds the working hours of a mailbox."""
    return Container(Kind.SETTINGS, HOURS, PATH)


def hours_reader(read: Callable[[], bytes | None], form: str) -> RecordSetReader:
    """Return a reader of the working hours; nothing is asked.

    Args:
        read: asks for the record; None where the person set none, or the server has no such thing.
        form: Native.format of the record.
    """

    def records() -> dict[str, Record]:
        body = read()
        return {} if body is None else {HOURS: Record(body)}

    return RecordSetReader(records, form)
