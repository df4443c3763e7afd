"""Sticky notes: a Message of class IPM.StickyNote, whose colour and place are extended properties."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from practice.contacts.cards import PLAIN
from practice.contacts.photos import png
from practice.mail.letters import Attachment
from practice.mail.letters_text import text
from practice.world.desk import Desk, share
from practice.world.record_elements import NOTE, named
from practice.world.records import Common, Element, Record

if TYPE_CHECKING:
    from practice.exchange.soap import Dialect
    from practice.world.messages import Message

BLUE, GREEN, PINK, YELLOW, WHITE = range(5)


@dataclass(frozen=True, slots=True)
class Sticky:
    """A sticky note; all it says is in `common`, its subject the first line of its text."""

    key: str
    common: Common = PLAIN
    item_class: str = "IPM.StickyNote"

    def elements(self, item: Message, dialect: Dialect) -> Sequence[Element]:  # noqa: ARG002
        return ()


def note(key: str, body: str, colour: int | None = YELLOW, size: tuple[int, int] = (200, 166)) -> Sticky:
    """As Outlook saves one. colour None: a note that another client made, without any property of its own."""
    width, height = size
    rows = ((0x8B00, colour), (0x8B02, width), (0x8B03, height), (0x8B04, 110), (0x8B05, 80))
    kept = tuple(named(NOTE, number, value) for number, value in rows if value is not None)
    return Sticky(key, Common(body=body, properties=() if colour is None else kept))


_TEXTS: dict[str, tuple[str, int | None]] = {
    "one_line": ("Milch kaufen", YELLOW),
    "lines": ("Einkauf\r\n- Milch\r\n- Brot\r\n\r\n* Käse\r\n", BLUE),
    "bare_newlines": ("Erste\nZweite\n\tDritte", GREEN),
    "empty": ("", PINK),
    "blank": (" \r\n\r\n", WHITE),
    "late_start": ("\r\n\r\n  Eingerückt nach leeren Zeilen\r\nText", YELLOW),
    "colourless": ("Von einem anderen Programm\r\nohne Farbe", None),
    "colour_unknown": ("Farbe, die es nicht gibt", 9),
    "long_line": ("Wort " * 400 + "\r\nkurz", GREEN),
    "scripts": ("買い物リスト\r\n牛乳\r\nברכה\r\n👋🏽 Größe", PINK),
    "markdown": ("# kein Titel\r\n<b>kein HTML</b> & [kein](Verweis)\r\n---\r\n    Code", YELLOW),
    "mail_like": ("Subject: keine Kopfzeile\r\nFrom: niemand\r\n\r\nFrom hier\r\n.\r\n", WHITE),
    "twice_a": ("Zweimal", YELLOW),
    "twice_b": ("Zweimal", YELLOW),
}
ODDITIES = (*_TEXTS, "long", "private", "categories", "large", "html", "pictured")


def _odd(desk: Desk, name: str) -> Sticky:
    if name in _TEXTS:
        return note(desk.key, *_TEXTS[name])
    if name == "long":
        return note(desk.key, text("de", desk.dice("text"), 60_000), BLUE)
    if name == "large":
        return note(desk.key, "Groß\r\nauf dem ganzen Bildschirm", GREEN, (1600, 1200))
    return replace(note(desk.key, "Geheimnis\r\nder Großmutter"), common=_special(desk, name))


def _special(desk: Desk, name: str) -> Common:
    """What some notes have beside their text; markup and pictures are of other clients than Outlook."""
    plain = note(desk.key, "Geheimnis\r\nder Großmutter").common
    if name == "private":
        return replace(plain, sensitivity="Private")
    if name == "html":
        markup = "<html><body><div>Erste</div><div><b>Zweite</b></div></body></html>"
        return replace(plain, subject="Erste", body=markup, html=True)
    if name == "pictured":
        return replace(plain, attachments=(Attachment("Bild.png", "image/png", png(desk.key, 32), "bild@n"),))
    return replace(plain, categories=("Rote Kategorie", "A, B"), importance="High")


def sample_stickies(seed: int, index: int, count: int, *, odd: bool = True) -> list[Record]:
    """count notes of mailbox number index, the oddities due to it first, unless not odd."""
    names = share(seed, index, "sticky", ODDITIES) if odd else []
    made = [_odd(Desk(seed, index, f"sticky/{name}"), name) for name in names]
    for n in range(count - len(made)):
        desk = Desk(seed, index, f"sticky/{n}")
        made.append(note(desk.key, text(desk.owner.locale, desk.dice("text"), 120), desk.dice().below(5)))
    return [_finished(seed, index, sticky) for sticky in made[:count]]


def _finished(seed: int, index: int, sticky: Sticky) -> Sticky:
    first = sticky.common.subject or sticky.common.body.replace("\r", "").partition("\n")[0]
    return replace(sticky, common=Desk(seed, index, sticky.key).dated(sticky.common, first))
