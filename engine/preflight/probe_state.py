"""Keep how far an invitation probe is, so that one that was killed goes on instead of beginning again."""

from __future__ import annotations

import json
import secrets
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from datetime import datetime, timedelta
from typing import Protocol

from ledger.db.shared_values import change_value, drop_value, read_value
from ledger.store import Ledger

OLDEST = timedelta(days=2)
"""An older probe is not continued: its meetings, and what it noted, are no longer as it left them."""


@dataclass(slots=True)
class ProbeState:
    """Hold how far a probe is.

    Attributes:
        about: which accounts and channels it is about.
        began: when it began, in ISO format.
        token: marks everything that it writes.
        done: how many of its steps are done.
        step: the name of the newest silent step.
        over: how many seconds of each wait are over.
        control: where the control meetings arrived.
        speaking: the channels through which each guest's control arrived.
        heard: where something arrived that should not have, and after which step.
        noted: what each channel had noted; see InvitationChannel.noted.
    """

    about: str
    began: str
    token: str = field(default_factory=lambda: secrets.token_hex(6))
    done: int = 0
    step: str = "create"
    over: dict[str, float] = field(default_factory=dict)
    control: list[str] = field(default_factory=list)
    speaking: list[tuple[str, int]] = field(default_factory=list)
    heard: list[str] = field(default_factory=list)
    noted: list[str] = field(default_factory=list)

    @classmethod
    def read(cls, text: str) -> ProbeState | None:
        """Return the state that `text` holds; None for ""."""
        if not text:
            return None
        raw = json.loads(text)
        raw["speaking"] = [(str(guest), int(number)) for guest, number in raw["speaking"]]
        return cls(**raw)

    def text(self) -> str:
        """Return the state as text."""
        return json.dumps(asdict(self), separators=(",", ":"))

    def goes_on(self, about: str, now: datetime) -> bool:
        """Return True if a probe of these accounts and channels may go on from here now."""
        return self.about == about and now - datetime.fromisoformat(self.began) < OLDEST


class ProbeMemory(Protocol):
    """Keep the state of one probe. Every method may raise Transient."""

    def load(self) -> str:
        """Return what was saved; "" if nothing is."""
        ...

    def save(self, text: str) -> None:
        """Replace what was saved."""
        ...

    def clear(self) -> None:
        """Forget what was saved. Idempotent."""
        ...


@dataclass(frozen=True, slots=True)
class LedgerMemory:
    """Keep the state in the ledger; implements ProbeMemory.

    Attributes:
        ledger: the ledger.
        name: names the probe: one for each server.
    """

    ledger: Ledger
    name: str

    def load(self) -> str:
        """Return what was saved."""
        text, _ = read_value(self.ledger, self.name)
        return text

    def save(self, text: str) -> None:
        """Replace what was saved."""
        replace: Callable[[str, float], tuple[str, None]] = lambda _old, _at: (text, None)  # noqa: E731
        change_value(self.ledger, self.name, replace)

    def clear(self) -> None:
        """Forget what was saved."""
        drop_value(self.ledger, self.name)
