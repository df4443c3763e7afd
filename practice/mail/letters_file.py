"""Read letters from the .eml files in practice/world/data/letters.

A file is a mail as it is, byte for byte, unless it has places: ${head} on a line of its own is the header
block of an ordinary letter, ${text} a text, and so on (practice/world/data/README.md). letters.toml gives the
order, and what a server states of a letter in addition to its bytes.
"""

from __future__ import annotations

import binascii
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Literal

from practice.mail.letters import Correspondent, Letter, Recipe, Scene, correspondent, moment
from practice.mail.letters_made import read_from
from practice.mail.letters_plain import head, outline
from practice.mail.letters_text import boundary, folded, text
from practice.world.cases import DATA, PLACE, Case, CaseError, Reading, read
from practice.world.people import Directory, gone

_PLACE = re.compile(PLACE.pattern.encode())
_HEAD, _BLANK = b"${head}", b"\r\n\r\n"
_ONCE = frozenset({"from", "to", "cc", "subject", "date", "message-id", "mime-version"})
"""Fields that ${head} writes, and that a mail has once (RFC 5322, section 3.6)."""
_SAMPLE = Scene("sample", Directory(1, 1).at(0), Directory(1, 1))
_WORDS = {"file", "incoming"}
"""What letters.toml says about a file and not about its letter."""


@dataclass(frozen=True, slots=True)
class Sender:
    """Hold a sender.

    Attributes:
        shown: the address in the letter, if a server states another.
    """

    name: str
    address: str
    routing: str = "SMTP"
    shown: str | None = None


@dataclass(frozen=True, slots=True)
class Stated:
    """Hold what a server states of a letter; None stands for what it states of an ordinary one.

    Attributes:
        body: the text that a client would show; None for what follows the header block.
        dated: when it was sent and received; undated if it is not known.
        fixed: True if each reading gives the same bytes; else another reading folds lines elsewhere.
    """

    subject: str | None = None
    sender: Sender | None = None
    to: Literal["owner", "nobody"] | None = None
    message_id: bool = True
    dated: datetime | None = None
    undated: bool = False
    item_class: str = "IPM.Note"
    size: int | None = None
    body: str | None = None
    fixed: bool = False


@dataclass(frozen=True, slots=True)
class Filed:
    """Hold a letter of a file.

    Attributes:
        incoming: True if it lies in no folder of what the owner wrote.
        listed: True if it stands in letters.toml; the others come last.
    """

    recipe: Recipe
    incoming: bool = False
    listed: bool = True


@dataclass(frozen=True, slots=True)
class _Template:
    """Make a letter from a file, its bytes, and its case."""

    path: Path
    case: Case
    data: bytes

    def refuse_twice_written(self) -> None:
        """Refuse a field of the file that ${head} writes already.

        Raises:
            CaseError: there is one.
        """
        lines = self.data.replace(b"\r\n", b"\n").partition(b"\n\n")[0].split(b"\n")
        if _HEAD not in lines:
            return
        for number, line in enumerate(lines, 1):
            name = line.partition(b":")[0].decode("latin-1")
            if name.lower() in _ONCE:
                how = "leave this line out, or write all fields in place of ${head}"
                raise self._error(number, f"{name} is written by ${{head}} already: {how}")

    def _error(self, line: int, text: str) -> CaseError:
        return CaseError(f"{self.path.parent.name}/{self.path.name}:{line}: {text}")

    def _line(self, place: bytes) -> int:
        """Return the line of the file's first such place."""
        return self.data[: self.data.find(place)].count(b"\n") + 1

    def __call__(self, scene: Scene) -> Letter:
        """Return the letter of a scene, as a recipe does."""
        plain, _ = outline(scene)
        stated = self._stated(scene, plain)
        letter = _with(plain, stated, scene)
        shown = letter
        if stated.sender and stated.sender.shown:
            shown = replace(letter, sender=Correspondent(stated.sender.name, stated.sender.shown))
        body = stated.body
        if body is None:
            body = self._expanded(scene, shown, 0).partition(_BLANK)[2].decode(errors="replace")
        return replace(
            letter,
            write=lambda variant: (self._expanded(scene, shown, 0 if stated.fixed else variant),),
            words=lambda: body.replace("\0", ""),
        )

    def _stated(self, scene: Scene, plain: Letter) -> Stated:
        table = {key: value for key, value in self.case.table.items() if key not in _WORDS}
        reading = Reading(self.case, lambda name, rest: _filled(scene, plain, 0, name, rest).decode(), {})
        return reading.of(Stated, table)

    def _expanded(self, scene: Scene, letter: Letter, variant: int) -> bytes:
        """Return the file with its places filled.

        The lines of a header block that has a ${head} are folded, as a server does that writes it again. A
        file without CRLF has none in what is put into it either.
        """
        bare = b"\r\n" not in self.data
        block, blank, body = (self.data.replace(b"\n", b"\r\n") if bare else self.data).partition(_BLANK)
        lines = block.split(b"\r\n")
        filled = [self._filled(scene, letter, variant, line) for line in lines]
        if _HEAD in lines:
            filled = [
                one.removesuffix(b"\r\n")
                if line == _HEAD
                else folded(one.decode("latin-1"), variant).encode("latin-1")
                for line, one in zip(lines, filled, strict=True)
            ]
        whole = b"\r\n".join(filled) + blank + self._filled(scene, letter, variant, body)
        return whole.replace(b"\r\n", b"\n") if bare else whole

    def _filled(self, scene: Scene, letter: Letter, variant: int, data: bytes) -> bytes:
        def fill(found: re.Match[bytes]) -> bytes:
            try:
                return _filled(scene, letter, variant, found[1].decode(), (found[2] or b"").decode())
            except (KeyError, ValueError):
                text = f"has a place that means nothing here: {found[0].decode('ascii', 'replace')}"
                raise self._error(self._line(found[0]), text) from None

        return _PLACE.sub(fill, data)


def letters(generated: Mapping[str, Recipe], folder: Path = DATA) -> dict[str, Filed]:
    """Return the letters of a data folder by name, in their order.

    Args:
        generated: letters that have no file, but a place in the order.
        folder: the data folder.

    Raises:
        CaseError: a file is missing, or says what is not understood.
    """
    cases = read("letters", folder)
    files = {path.name: path for path in sorted((folder / "letters").glob("*.eml"))}
    found: dict[str, Filed] = {}
    for name, case in cases.items():
        found[name] = Filed(generated[name]) if name in generated else _of_case(case, files)
    used = {str(case.table.get("file", f"{name}.eml")) for name, case in cases.items()}
    for path in (path for name, path in files.items() if name not in used):
        if path.stem in found:
            raise CaseError(f"letters/{path.name}: letters.toml has another letter of this name")
        found[path.stem] = Filed(_of_file(path), listed=False)
    return found


def _of_case(case: Case, files: Mapping[str, Path]) -> Filed:
    path = files.get(str(case.table.get("file", f"{case.name}.eml")))
    if path is None:
        raise case.error("file", "there is no such file in the folder")
    return Filed(_tried(_Template(path, case, path.read_bytes())), bool(case.table.get("incoming")))


def _of_file(path: Path) -> Recipe:
    data = path.read_bytes()
    if _HEAD not in data:
        return partial(read_from, mime=data)
    return _tried(_Template(path, Case(path, "", {}), data))


def _tried(template: _Template) -> Recipe:
    """Return the recipe, after it was tried: an error of the file shows at once."""
    template.refuse_twice_written()
    template(_SAMPLE).mime()
    return template


def _with(letter: Letter, stated: Stated, scene: Scene) -> Letter:
    to = {"owner": (correspondent(scene.owner),), "nobody": (), None: letter.to}[stated.to]
    sender = letter.sender
    if stated.sender is not None:
        sender = Correspondent(stated.sender.name, stated.sender.address, stated.sender.routing)
    when = None if stated.undated else stated.dated or letter.sent
    return replace(
        letter,
        subject=letter.subject if stated.subject is None else stated.subject,
        sender=sender,
        to=to,
        sent=when,
        received=when,
        message_id=letter.message_id if stated.message_id else None,
        item_class=stated.item_class,
        size=stated.size or letter.size,
    )


def _filled(scene: Scene, letter: Letter, variant: int, name: str, rest: str) -> bytes:
    """Return what stands for ${name:rest}.

    Raises:
        KeyError: there is no such place.
        ValueError: the rest is not understood.
    """
    thing, _, part = name.partition(".")
    if thing in ("owner", "colleague", "gone"):
        return str(getattr(_person(scene, thing), _PERSON[part])).encode()
    if thing in ("from", "to"):
        who = letter.sender if thing == "from" else letter.to[0]
        return {"name": who.name, "address": who.address}[part].encode(rest or "utf-8", "replace")
    if thing == "meeting":
        return _meeting(scene, part).encode()
    if name == "subject":
        return _written_as(rest, letter.subject)
    if name == "text":
        return text(scene.owner.locale, scene.dice("body"), int(rest or scene.size)).encode()
    if name == "boundary":
        return boundary(scene.dice(rest), variant).encode()
    return {"head": lambda: head(letter, variant), "message_id": lambda: (letter.message_id or "").encode()}[
        name
    ]()


_PERSON = {each: each for each in ("index", "name", "given", "family", "address", "legacy_dn", "imceaex")}


def _person(scene: Scene, which: str) -> object:
    """Return a colleague at random, or one who has left and whom no directory knows."""
    if which == "owner":
        return scene.owner
    if which == "gone":
        return gone(scene.people.at(0), scene.dice("left"))
    return scene.people.at(scene.dice("ex").below(scene.people.count))


def _meeting(scene: Scene, part: str) -> str:
    _, dice = outline(scene)
    start, uid = moment(dice) + timedelta(days=3), dice.hex(40).upper()
    return {"uid": uid, "stamp": f"{start:%Y%m%dT%H%M%SZ}", "start": f"{start:%Y%m%dT%H0000Z}"}[part]


def _written_as(form: str, value: str) -> bytes:
    if form == "quoted-printable":
        return binascii.b2a_qp(value.encode(), istext=True)
    return {"": value, "ical": value.replace(",", "\\,")}[form].encode()
