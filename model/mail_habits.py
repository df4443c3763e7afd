"""State what a mail server, or the mail program in front of it, expects beside the messages."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final


@dataclass(frozen=True, slots=True)
class MailHabits:
    """Say how folders with a role are called, and which keywords are colours.

    Attributes:
        special_folders: by role, the paths that folders get where the server has none with this role.
        colours: the keywords that a mail program shows as colours, by the names of categories in Unicode's
            form NFC and without case.
    """

    special_folders: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    colours: Mapping[str, str] = field(default_factory=dict)


PLAIN_MAIL: Final = MailHabits()
