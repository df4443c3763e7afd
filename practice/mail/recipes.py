"""Every recipe by name, which of them are oddities, and the marks people put on mail."""

from __future__ import annotations

from practice.mail import letters_multipart, letters_secure
from practice.mail.letters import Recipe
from practice.mail.letters_file import letters
from practice.mail.letters_plain import draft, plain
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

_CATEGORIES: tuple[tuple[str, ...], ...] = (
    ("Rote Kategorie",),
    ("Bürgermeister", "Haushalt 2025/26"),
    ("Très urgent", "à revoir"),
    ("A]B%C*D",),
    ("\\Seen",),
    ('mit "Anführung" (und Klammer) {5}',),
    ("📌 wichtig",),
    ("Sehr lange Kategorie " + "über alle Ämter hinweg " * 9,),
    ("rote kategorie",),
    tuple(f"Kategorie {n}" for n in range(1, 16)),
    ("日本語",),
    (" am Rand ",),
)

ODD_MARKS: tuple[Marks, ...] = (
    *(Marks(categories=categories) for categories in _CATEGORIES),
    Marks(flag="Flagged"),
    Marks(flag="Complete"),
    Marks(importance="High"),
    Marks(importance="Low"),
    Marks(verb=102),
    Marks(verb=103),
    Marks(verb=104),
    Marks(read_receipt=True),
    Marks(("Rote Kategorie",), "Flagged", "High", 102, read_receipt=True),
)
"""Each of them appears among the first five mailboxes."""
