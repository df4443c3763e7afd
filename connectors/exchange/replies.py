"""List and fetch the automatic reply of a mailbox: one record for each side, people inside and outside."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from connectors.exchange.record_set import Record, RecordSetReader
from model.kinds import Kind
from model.protocols import Container

REPLY = "automatic-reply"
"""The id of the container."""
SIDES = ("inside", "outside")
PATH = ("Automatic reply",)


def reply_container() -> Container:
    """Return the container that holds the automatic reply of a mailbox."""
    return Container(Kind.SETTINGS, REPLY, PATH)


def reply_reader(read: Callable[[], bytes | None], form: str) -> RecordSetReader:
    """Return a reader of the reply; nothing is asked.

    Properties: Side (str), "inside" or "outside".

    Args:
        read: asks for the record; None where the server has no such thing.
        form: Native.format of the record.
    """

    def records() -> Mapping[str, Record]:
        body = read()
        return {} if body is None else {f"reply-{side}": Record(body, {"Side": side}) for side in SIDES}

    return RecordSetReader(records, form)
