"""Every recipe by name, which of them are oddities, and the marks people put on mail."""

from __future__ import annotations

from practice.mail import letters_broken, letters_exchange, letters_multipart, letters_secure
from practice.mail.letters import Recipe
from practice.mail.letters_plain import plain
from practice.world.messages import Marks

RECIPES: dict[str, Recipe] = {
    "plain": plain,
    **letters_multipart.RECIPES,
    **letters_broken.RECIPES,
    **letters_exchange.RECIPES,
    **letters_secure.RECIPES,
}

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
