"""List every recipe by name, the oddities among them, and the marks that people put on mail."""

from __future__ import annotations

from practice.mail import letters_multipart, letters_secure
from practice.mail.letters import Recipe
from practice.mail.letters_file import letters
from practice.mail.letters_plain import draft, plain
from practice.world.cases import tables
from practice.world.messages import Marks

_FILED = letters({"duplicate": plain})

RECIPES: dict[str, Recipe] = {
    "plain": plain,
    **letters_multipart.RECIPES,
    **{name: one.recipe for name, one in _FILED.items() if one.listed},
    "draft": draft,
    **letters_secure.RECIPES,
    **{name: one.recipe for name, one in _FILED.items() if not one.listed},
}
ADDED = frozenset(name for name, one in _FILED.items() if not one.listed)
"""Letters of files that letters.toml does not name."""
INCOMING = frozenset(name for name, one in _FILED.items() if one.incoming)
"""Letters that lie in no folder of what the owner wrote."""

ORDINARY = ("alternative", "alternative", "html", "attachment", "inline_image", "flowed", "plain", "plain")
"""What fills a nasty mailbox between its oddities."""

ODDITIES: tuple[str, ...] = tuple(
    name for name in RECIPES if name not in (*ORDINARY, "large", "draft", "associated")
)

ODD_MARKS = tuple(tables("marks", Marks).values())
"""Each of them appears among the first five mailboxes."""
