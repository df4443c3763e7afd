"""Watch for a probe's invitations that arrive by mail.

In every folder of the guest's account, spam included.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from io import BytesIO

from engine.preflight.invitation_probe import News
from mappings.fields.bounded_reading import decoded, head_of, message_of
from model.protocols import Failed, Native, Target

MOST = 1_000_000


@dataclass(slots=True)
class MailWatch:
    """Watch the invited account on the mail target; implements InvitationChannel.

    The account is only read: mail that arrived stays.
    """

    target: Target
    _since: dict[str, str] = field(default_factory=dict)
    _seen: set[tuple[str, str]] = field(default_factory=set)

    def start(self) -> None:
        """Note the positions of all folders."""
        self._since = {href: self.target.position(href) for href in self._folders()}

    def news(self) -> Iterator[News]:
        """Yield mail that arrived since start() or the last call."""
        for folder in self._folders():
            listed = [entry.href for entry in self.target.listing(folder, self._since.get(folder))]
            new = [href for href in listed if (folder, href) not in self._seen]
            self._seen.update((folder, href) for href in new)
            for _, answer in self.target.read(folder, new):
                yield News("mail", _text(answer))

    def tidy(self, mark: str) -> None:
        """Do nothing: Kogge did not write this mail, and removes only what it wrote."""
        del mark

    def _folders(self) -> list[str]:
        return [container.id for container in self.target.containers() if container.omit is None]


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
        payload = part.get_payload(decode=True)
        if isinstance(payload, bytes):
            parts.append(payload.decode("utf-8", "replace").replace("\r\n ", "").replace("\n ", ""))
    return "\n".join(parts)
