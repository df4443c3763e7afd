"""List and fetch the rules of an inbox as one container, whichever protocol answers with them.

What a rule does depends on the ones before it, which may end the processing: so a rule has another version
once any of them changes, and its record comes with all of them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from connectors.exchange.record_set import Record, RecordSetReader
from model.kinds import Kind
from model.protocols import Container

RULES = "inbox-rules"
"""The id of the container."""
PATH = ("Inbox rules",)


def rule_container() -> Container:
    """Return the container that holds the rules of a mailbox."""
    return Container(Kind.SETTINGS, RULES, PATH)


def rule_reader(read: Callable[[], Mapping[str, bytes]], form: str) -> RecordSetReader:
    """Return a reader of rules; nothing is asked.

    Properties: Rules (tuple of bytes), the records of all rules of the mailbox.

    Args:
        read: asks for the record of each rule, by its id.
        form: Native.format of the records.
    """

    def records() -> dict[str, Record]:
        found = read()
        properties = {"Rules": tuple(found.values())}
        return {id_: Record(body, properties) for id_, body in found.items()}

    return RecordSetReader(records, form, together=True)
