"""Fill a practice drive from a seed: with an ordinary tree, or with one that has every oddity."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

from practice.drive.drive import Drive
from practice.drive.drive_content import EMPTY, Content
from practice.drive.drive_names import FOLDERS, NAMES
from practice.drive.drive_shares import (
    Grantee,
    Party,
    Permission,
    Scope,
    group,
    guest,
    link,
    site_group,
    user,
)
from practice.harness.dice import Dice
from practice.world.people import Directory

WORDS = (
    "Haushalt", "Satzung", "Protokoll", "Vermerk", "Bauantrag", "Sitzung", "Vertrag", "Entwurf", "Anlage",
    "Übersicht",
)  # fmt: skip
ENDINGS = ("docx", "xlsx", "pdf", "txt", "pptx", "jpg", "csv", "zip")
ANCIENT = datetime(1969, 7, 20, 20, 17, tzinfo=UTC)
FUTURE = datetime(2107, 12, 31, 23, 59, 58, tzinfo=UTC)
PRECISE = datetime(2021, 3, 4, 5, 6, 7, 987_000, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Tree:
    """Describe a tree.

    Attributes:
        files: how many ordinary ones, in folders.
        nasty: True for every oddity in addition.
        crowd: how many files one folder has.
        depth: how many folders lie one in the other.
        large: sizes of sparse files.
    """

    files: int = 40
    nasty: bool = True
    crowd: int = 0
    depth: int = 40
    large: tuple[int, ...] = ()


def populate(drive: Drive, tree: Tree, people: Directory) -> None:
    """Fill a drive; the same seed gives the same drive."""
    _ordinary(drive, tree.files)
    if tree.nasty:
        for part in (_names, _empty, _deep(tree.depth), _sizes, _dates, _versions, _strange, _shares(people)):
            part(drive)
    if tree.crowd:
        crowd = drive.folder(drive.root, "Menge")
        for number in range(tree.crowd):
            drive.write(crowd, f"{number:06d}.txt", b"%d" % number)
    for number, size in enumerate(tree.large):
        drive.write(drive.root, f"groß {number}.bin", Content.sparse(size, drive.seed, drive.key, number))


def _ordinary(drive: Drive, count: int) -> None:
    dice, folders = Dice(drive.seed, drive.key, "ordinary"), [drive.root]
    for number in range(count):
        if number % 8 == 7:
            parent = dice.pick(folders)
            folders.append(drive.folder(parent, f"{dice.pick(WORDS)} {number}"))
        name = f"{dice.pick(WORDS)} {number}.{dice.pick(ENDINGS)}"
        drive.write(dice.pick(folders), name, dice.bytes(dice.between(1, 3000)))


def _names(drive: Drive) -> None:
    folder = drive.folder(drive.root, "Namen")
    for number, name in enumerate(NAMES):
        drive.write(folder, name, b"name %d" % number)
    for name in FOLDERS:
        drive.write(drive.folder(folder, name), "darin.txt", name.encode())


def _empty(drive: Drive) -> None:
    folder = drive.folder(drive.root, "Leer")
    drive.folder(drive.folder(folder, "nichts"), "gar nichts")
    drive.write(folder, "null Byte.txt", EMPTY)
    drive.write(folder, "ohne Endung", EMPTY)


def _deep(depth: int) -> Callable[[Drive], None]:
    def part(drive: Drive) -> None:
        folder = drive.folder(drive.root, "Tief")
        for level in range(depth):
            folder = drive.folder(folder, f"{level}")
        drive.write(folder, "unten.txt", b"unten")

    return part


def _sizes(drive: Drive) -> None:
    """Around what a hash of 160 bits and a block of a copy are."""
    folder = drive.folder(drive.root, "Größen")
    for size in (1, 2, 159, 160, 161, 4095, 262_144, 262_145, 700_001):
        drive.write(folder, f"{size}.bin", Dice(drive.seed, drive.key, size).bytes(size))
    drive.write(folder, "Seite.html", b"<!DOCTYPE html><html><body>Keine Fehlerseite</body></html>")
    unhashed = drive.write(folder, "ohne Hash.bin", b"Graph tells no hash of it")
    drive.state(unhashed, "")


def _dates(drive: Drive) -> None:
    folder = drive.folder(drive.root, "Daten", FUTURE)
    dates = (("vor 1970.txt", ANCIENT), ("in der Zukunft.txt", FUTURE), ("genau.txt", PRECISE))
    for name, modified in dates:
        drive.write(folder, name, name.encode(), modified)


def _versions(drive: Drive) -> None:
    folder = drive.folder(drive.root, "Versionen")
    for count in (1, 2, 12):
        for number in range(count):
            drive.write(folder, f"{count} Stände.txt", b"Stand %d" % number)


def _strange(drive: Drive) -> None:
    folder = drive.folder(drive.root, "Seltsames")
    drive.notebook(folder, "Notizbuch")
    drive.shortcut(folder, "Von nebenan")
    drive.infect(drive.write(folder, "eicar.com", b"not a virus, but called one"))


def _shares(people: Directory) -> Callable[[Drive], None]:
    def part(drive: Drive) -> None:
        folder = drive.folder(drive.root, "Geteilt")
        for name, permissions in shares(people).items():
            drive.share(drive.write(folder, name, name.encode()), *permissions)
        project = drive.folder(folder, "Projekt")
        drive.share(project, user(people.at(0).address, people.at(0).name, write=True))
        drive.share(drive.write(project, "auch für Gäste.txt", b"x"), guest("gast@firma.example"))
        drive.write(drive.folder(project, "geerbt"), "geerbt.txt", b"y")

    return part


def shares(people: Directory) -> dict[str, tuple[Permission, ...]]:
    """Return every kind of permission, by the name of a file."""
    one, other = (people.at(index % people.count) for index in (1, 2))
    colleague = Grantee(Party.USER, other.name, other.address)
    stranger = Grantee(Party.GUEST, "Gast", "gast@firma.example")
    until = datetime(2031, 2, 3, 4, 5, 6, tzinfo=UTC)
    return {
        "mit Person.txt": (user(one.address, one.name),),
        "mit Person ohne Adresse.txt": (user(one.address, one.name, write=True, mail=False),),
        "mit Gruppe.txt": (group("Bauamt", f"bauamt@{one.address.partition('@')[2]}", write=True),),
        "mit Websitegruppe.txt": (site_group("Besucher"), site_group("Besitzer", "sp.full control")),
        "mit Gast.txt": (guest("gast@firma.example", write=True), guest("zweiter@firma.example", mail=False)),
        "für alle.txt": (link(Scope.ANONYMOUS),),
        "für alle, befristet.txt": (link(Scope.ANONYMOUS, edit=True, expires=until, password=True),),
        "im Haus.txt": (link(Scope.ORGANIZATION, edit=True),),
        "Link für Personen.txt": (link(Scope.USERS, colleague, stranger, edit=True),),
    }
