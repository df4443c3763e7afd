"""Let practice people do something when asked: at the source, or in their new accounts."""

from __future__ import annotations

import imaplib
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from practice.servers.at_the_target import work_there
from practice.servers.imap import ImapServer
from practice.world.work import receive, work
from practice.world.world import World

WORK, LATE, TARGET = "work", "late", "target"
"""What may be asked for: a minute's work at the source, late mail there, or work in the new account."""
FAULT = "fault"
UNKNOWN, REFUSED = "unknown", "refused"


@dataclass(frozen=True, slots=True)
class PeopleAtWork:
    """Let people work.

    Attributes:
        world: the mailboxes of the source.
        imap: the IMAP server of the new accounts.
        dav: the URL of their DAV server.
        dav_password: of every account there.
    """

    world: World
    imap: ImapServer
    dav: str
    dav_password: str

    def answer(self, request: Mapping[str, object]) -> Mapping[str, object]:
        """Let people work; see practice.harness.control.

        Args:
            request: "what" is WORK, LATE or TARGET; "address" says whose mailbox or account.

        Returns:
            How often each of practice.world.work.DEEDS was done; or FAULT, which is UNKNOWN or REFUSED.
        """
        acts: dict[str, Callable[[str], Counter[str]]] = {
            WORK: self._work,
            LATE: self._receive,
            TARGET: self._work_there,
        }
        try:
            return dict(acts[str(request["what"])](str(request["address"])))
        except KeyError:
            return {FAULT: UNKNOWN}
        except (OSError, imaplib.IMAP4.error):
            return {FAULT: REFUSED}

    def _work(self, address: str) -> Counter[str]:
        with self.world.lock:
            return work(self.world.mailbox(address))

    def _receive(self, address: str) -> Counter[str]:
        with self.world.lock:
            return receive(self.world.mailbox(address))

    def _work_there(self, address: str) -> Counter[str]:
        return work_there(self.imap, self.dav, self.dav_password, address)
