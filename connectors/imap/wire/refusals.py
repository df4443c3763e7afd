"""Tell a server that refuses one item from a server that refuses everything for a while.

A server whose disk or database is away may answer NO without a reason to every command that writes, or to
every body that is asked for, and answer everything else well. What was not sent again after the server
recovered is no item's fault. So an item is blamed for such an answer only if the server did the same for
another item after it had refused this one, and refuses this one once more.

Where there is no other item, the fault is the server's until ATTEMPTS attempts, each with all of its pauses,
met the same: with the pauses of a leg between them that is more than a minute. Where many items are refused
at a time it takes MANY_ATTEMPTS, because that is hardly the fault of each.
"""

from __future__ import annotations

import hashlib
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from connectors.imap.session import Session
from connectors.imap.wire.connection import TaggedReply
from model.errors import Rejected, Transient

PAUSES = (0.5, 1.5, 3.0, 4.0)
"""Seconds between the rounds in which everything that is left was refused: a call that takes longer than ten
seconds counts as one of a server that is away."""
ATTEMPTS, MANY_ATTEMPTS = 5, 20
FEW = 20
T = TypeVar("T")
R = TypeVar("R")
sleep = time.sleep

_in_vain: Counter[bytes] = Counter()
"""How many attempts ended without anything done, by the digest of each item, in this process."""


def is_doubtful(reply: TaggedReply, *also: str) -> bool:
    """Return True if a refusal does not say whether the item or the server is the cause.

    Args:
        reply: the refusal.
        also: response codes of which the same is true for this command.
    """
    return reply.status == "NO" and (not reply.known or reply.reason in also)


@dataclass(slots=True)
class Witness:
    """Count what a server did well of one kind. A thread may count a little less than there was.

    Attributes:
        done: how many items.
    """

    done: int = 0


@dataclass(slots=True)
class Refused(Generic[T]):
    """Hold an item that was refused without a reason.

    Attributes:
        item: the item.
        error: the fault, if the item is the cause.
        since: Witness.done when it was first refused.
    """

    item: T
    error: Rejected
    since: int


@dataclass(slots=True)
class Doubts(Generic[T, R]):
    """Try again what was refused without a reason, until it is known whose fault that is.

    Attributes:
        session: the session.
        witness: counts what the server did.
        once_more: tries one item alone, and counts it with the witness if the server does it. Returns the
            result, or the refusal.
        name_of: tells an item from the others of the account.
        check: raises if this worker may not go on.
    """

    session: Session
    witness: Witness
    once_more: Callable[[T], R | Refused[T]]
    name_of: Callable[[T], bytes]
    check: Callable[[], None]
    _pauses: Iterator[float] = field(default_factory=lambda: iter(PAUSES))

    def settle(self, refused: Sequence[Refused[T]]) -> Iterator[R | Refused[T]]:
        """Yield the result of each item; Refused of those that are the cause themselves.

        Raises:
            Transient: "server-busy": nothing was done since.
        """
        left = list(refused)
        while left:
            before, open_ones = self.witness.done, list[Refused[T]]()
            for each in left:
                sent = self.witness.done
                again = self.once_more(each.item)
                if not isinstance(again, Refused) or sent > each.since:
                    yield again
                else:
                    open_ones.append(Refused(each.item, again.error, each.since))
            left = open_ones
            if left and self.witness.done == before and not self._waits():
                yield from self._blamed(left)
                return

    def _waits(self) -> bool:
        """Wait before the next round; return False if there is to be none."""
        pause = next(self._pauses, None)
        if pause is not None:
            self.check()
            sleep(pause)
            self.check()
        return pause is not None

    def _blamed(self, left: Sequence[Refused[T]]) -> Sequence[Refused[T]]:
        """Count an attempt in vain; return all of them once there were enough, while the server is well."""
        most = ATTEMPTS if len(left) <= FEW else MANY_ATTEMPTS
        names = [self._digest(each.item) for each in left]
        if self.session.run(b"NOOP").ok:
            _in_vain.update(names)
            if all(_in_vain[name] >= most for name in names):
                return left
        raise Transient("server-busy", "it refuses everything, without a reason").quoting(left[0].error.words)

    def _digest(self, item: T) -> bytes:
        account = f"{self.session.server}\n{self.session.account.login}\n".encode()
        return hashlib.blake2b(account + self.name_of(item), digest_size=16).digest()
