"""List and fetch the rules of an inbox as one container, whichever protocol answers with them.

An answer holds all rules of a mailbox, and no state to go on from: each listing is whole. Its cursor is a
digest of the rules, so that a listing with nothing new names nothing. What a rule does depends on the ones
before it, which may end the processing: so a rule has another version once any of them changes, and its
record comes with all of them.
"""

from __future__ import annotations

import hashlib
import io
from collections.abc import Callable, Iterable, Iterator, Mapping

from model.errors import Rejected
from model.kinds import Kind
from model.protocols import Container, Failed, Native, Page, Ref, key_of

RULES = "inbox-rules"
"""The id of the container."""
PATH = ("Inbox rules",)


def rule_container() -> Container:
    """Return the container that holds the rules of a mailbox."""
    return Container(Kind.SETTINGS, RULES, PATH)


class RuleReader:
    """List and fetch rules; one thread at a time."""

    def __init__(self, read: Callable[[], Mapping[str, bytes]], form: str) -> None:
        """Prepare; nothing is asked.

        Args:
            read: asks for the record of each rule, by its id.
            form: Native.format of the records.
        """
        self._read = read
        self._form = form
        self._listed: Mapping[str, bytes] | None = None

    def changes(self, cursor: str | None) -> Iterator[Page]:
        """Yield one page: all rules, or nothing if they are as they were.

        Raises:
            Whatever `read` raises.
        """
        self._listed = records = self._read()
        now = _digest_of_all(records)
        if now == cursor:
            yield Page((), now)
        else:
            yield Page(tuple(_ref(id_, record, now) for id_, record in records.items()), now, full=True)

    def fetch(self, refs: Iterable[Ref], *, bodies: bool) -> Iterator[Native | Failed]:
        """Yield one record for each ref, as it was listed last; see `model.protocols.Source.fetch`.

        Properties: Rules (tuple of bytes), the records of all rules of the mailbox.

        Raises:
            Whatever `read` raises.
        """
        records = self._read() if self._listed is None else self._listed
        now, every = _digest_of_all(records), tuple(records.values())
        for ref in refs:
            record = records.get(ref.id)
            if record is None:
                yield Failed(key_of(ref.id), Rejected("vanished"))
            else:
                stated = _ref(ref.id, record, now)
                yield Native(stated, self._form, {"Rules": every}, _body(record) if bodies else None)


def _digest_of_all(records: Mapping[str, bytes]) -> str:
    digests = sorted(_digest(record) for record in records.values())  # in whatever order they came
    return _digest("".join(digests).encode())


def _ref(id_: str, record: bytes, all_: str) -> Ref:
    return Ref(id_, _digest(all_.encode() + record), size=len(record))


def _digest(data: bytes) -> str:
    return hashlib.blake2b(data, digest_size=16).hexdigest()


def _body(record: bytes) -> Callable[[], io.BytesIO]:
    return lambda: io.BytesIO(record)
