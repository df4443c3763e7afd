"""Watch for a probe's invitations that arrive by mail.

In every folder of the guest's account, spam included.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from io import BytesIO

from engine.preflight.invitation_probe import News
from mappings.fields.bounded_reading import decoded, head_of, message_of, payload_of
from model.errors import MigrationError
from model.protocols import Failed, Native, Target

MOST = 1_000_000


@dataclass(slots=True)
class MailWatch:
    """Watch the mailbox of an invited account; implements InvitationChannel.

    The account is only read: mail that arrived stays. After a fault it is opened anew.

    Attributes:
        opens: opens the mailbox.
        role: whose mailbox it is.
    """

    opens: Callable[[], Target]
    role: str = "guest"
    _target: Target | None = None
    _since: dict[str, str] = field(default_factory=dict)
    _seen: set[tuple[str, str]] = field(default_factory=set)

    @property
    def name(self) -> str:
        """Which server and mailbox it is, for people."""
        return f"mail server, mailbox of the {self.role}"

    def start(self) -> None:
        """Note the positions of all folders."""
        with self._opened() as target:
            self._since = {href: target.position(href) for href in _folders(target)}

    def noted(self) -> str:
        """Return the positions and what was seen, as JSON."""
        return json.dumps({"since": self._since, "seen": sorted(self._seen)})

    def go_on(self, noted: str) -> None:
        """Take over what the channel of an earlier process noted."""
        known = json.loads(noted)
        self._since = dict(known["since"])
        self._seen = {(str(folder), str(href)) for folder, href in known["seen"]}

    def news(self) -> list[News]:
        """Return mail that arrived since start() or the last call that did not raise."""
        found: list[News] = []
        seen: set[tuple[str, str]] = set()
        with self._opened() as target:
            for folder in _folders(target):
                listed = [entry.href for entry in target.listing(folder, self._since.get(folder))]
                new = [href for href in listed if (folder, href) not in self._seen]
                seen.update((folder, href) for href in new)
                found += [News("mail", _text(answer)) for _, answer in target.read(folder, new)]
        self._seen |= seen
        return found

    def tidy(self, mark: str) -> None:
        """Do nothing: Kogge did not write this mail, and removes only what it wrote."""
        del mark

    def close(self) -> None:
        """Close the mailbox. Idempotent."""
        target, self._target = self._target, None
        if target is not None:
            target.close()

    @contextmanager
    def _opened(self) -> Iterator[Target]:
        """Yield the mailbox; close it after a fault, because its connection may be of no use any more."""
        if self._target is None:
            self._target = self.opens()
        try:
            yield self._target
        except MigrationError:
            self.close()
            raise


def _folders(target: Target) -> list[str]:
    return [container.id for container in target.containers() if container.omit is None]


def _text(answer: Native | Failed) -> str:
    """Return headers and every part, decoded and unfolded, also of an attached calendar.

    Raises what made a message unreadable, unless it has vanished meanwhile.
    """
    if isinstance(answer, Failed):
        if answer.error.code == "vanished":
            return ""
        raise answer.error
    if answer.body is None:
        return ""
    with answer.body() as stream:
        data = stream.read(MOST)
    try:
        message = message_of(BytesIO(data))
    except RecursionError:  # no invitation is nested so deeply
        message = head_of(data)
    parts = [f"{name}: {decoded(str(value))}" for name, value in message.items()]
    for part in message.walk():
        text = payload_of(part).decode("utf-8", "replace")
        parts.append(text.replace("\r\n ", "").replace("\n ", ""))
    return "\n".join(parts)
