"""The users of one context, their folders with names and rights, and the clock of every time stamp."""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Literal

Kind = Literal["calendar", "tasks", "contacts", "birthdays"]
NUMBER = 53
FIRST_USER = 3
FIRST_FOLDER, FOLDERS_OF_USER = 31, 10
USERS_BOOK = 6
ALL_USERS, ADMINISTRATOR = 0, 2
OWNER = 403710016
READ = 257
READ_WRITE = 4227330
COLLEAGUES = 16641
"""Permission bits: 0-6 folder, 7-13 read, 14-20 write, 21-27 delete, 28 admin. COLLEAGUES are those of the
address book of all users: everybody may write what is their own there, and create or delete nothing."""
TITLES: Mapping[str, tuple[str, str, str, str, str]] = {
    "en": ("Calendar", "Contacts", "Tasks", "Birthdays", "Collected addresses"),
    "de": ("Kalender", "Kontakte", "Aufgaben", "Geburtstage", "Gesammelte Adressen"),
    "fr": ("Calendrier", "Contacts", "Tâches", "Anniversaires", "Adresses collectées"),
    "it": ("Calendario", "Rubrica", "Attività", "Compleanni", "Indirizzi raccolti"),
}
"""By language: calendar, contacts, tasks, birthdays, collected addresses. They are stored as the user's
language had them when the user was made, and shown as it has them now. "Kontakte" was measured; the other
words need not be those of the server."""
PLACES: tuple[Kind, ...] = ("calendar", "contacts", "tasks", "birthdays")
COLLECTED = 4


def system_clock() -> datetime:
    return datetime.now(UTC)


class Clock:
    """What the server takes for now, and its time stamps: milliseconds, each greater than the one before."""

    def __init__(self, read: Callable[[], datetime] = system_clock) -> None:
        self._read = read
        self._fixed: datetime | None = None
        self._last = 0

    def set(self, when: datetime | None) -> None:
        """Stands at that time; None: goes again. Stamps never go back."""
        self._fixed = when

    def now(self) -> datetime:
        return self._fixed or self._read()

    def tick(self) -> int:
        self._last = max(int(self.now().timestamp() * 1000), self._last + 1)
        return self._last


@dataclass(frozen=True, slots=True)
class User:
    number: int
    login: str
    address: str
    name: str

    @property
    def uri(self) -> str:
        return f"mailto:{self.address}"

    @property
    def uuid(self) -> str:
        return f"000000{NUMBER:02x}-0000-{self.number:04x}-00fc-c0e11e000001"


@dataclass(frozen=True, slots=True)
class Gone:
    """What was deleted: its name, when, and whether listings saw it. sync-collection tells nothing of a
    deletion outside of the window."""

    name: str
    at: int
    listed: bool


@dataclass(eq=False)
class Folder:
    """resource: the last segment of the path it was made at, which goes on answering. account: of a
    birthdays calendar. word: which of TITLES is its name; None for what the user named."""

    number: int
    kind: Kind
    owner: int
    title: str
    created: int = 0
    default: bool = False
    resource: str = ""
    color: str = ""
    account: int = 0
    word: int | None = None
    changed: int = 0
    rights: dict[int, int] = field(default_factory=dict)
    gone: list[Gone] = field(default_factory=list)

    @property
    def id(self) -> str:
        """What the HTTP API calls it."""
        if self.kind == "birthdays":
            return f"cal://{self.account}/0"
        return f"cal://0/{self.number}" if self.kind == "calendar" else str(self.number)

    @property
    def segment(self) -> str:
        """Of its URL: the id in base64, but for address books."""
        return self.id if self.kind == "contacts" else encoded(self.id)

    def bits(self, user: int) -> int:
        """What the user may do: the most that the user, or everybody as a group, was given."""
        return max(self.rights.get(user, 0), self.rights.get(ALL_USERS, 0))

    def may(self, user: int, what: Literal["read", "write", "delete"]) -> bool:
        shift = {"read": 7, "write": 14, "delete": 21}[what]
        return bool((self.bits(user) >> shift) & 127)


def encoded(text: str) -> str:
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def decoded(segment: str) -> str:
    """The id in a segment; "" for what is none."""
    try:
        text = base64.urlsafe_b64decode(segment + "=" * (-len(segment) % 4)).decode("ascii")
    except ValueError:
        return ""
    return text if text.isdigit() or text.startswith("cal://") else ""


class Context:
    """users: login -> display name; a login that is no address is one at `domain`. locale: the language of
    all, such as de_DE; see also speaks."""

    def __init__(self, users: Mapping[str, str], domain: str, clock: Clock, locale: str = "en_US") -> None:
        self.clock = clock
        self.domain = domain
        self.users: dict[str, User] = {}
        self.folders: dict[int, Folder] = {}
        for place, (login, name) in enumerate(users.items()):
            address = login.lower() if "@" in login else f"{login.lower()}@{domain}"
            self.users[login] = User(FIRST_USER + place, login, address, name)
        self.locales = {user.number: locale for user in self.users.values()}
        everybody = Folder(USERS_BOOK, "contacts", ADMINISTRATOR, "All Users")
        everybody.rights[ADMINISTRATOR] = COLLEAGUES | 1 << 28
        self._add(everybody)
        self._provide()

    def _provide(self) -> None:
        """Each user has a calendar, contacts and tasks of the numbers n1, n2 and n3, a calendar of birthdays
        and "Collected addresses"."""
        for place, user in enumerate(self.users.values()):
            self.folders[USERS_BOOK].rights[user.number] = COLLEAGUES
            words = self._words(user)
            for word, kind in enumerate(PLACES[:3]):
                number = FIRST_FOLDER + FOLDERS_OF_USER * place + word
                made = self._own(number, kind, user.number, words[word], default=True)
                made.word = word
                self._add(made)
            birthdays = Folder(-1 - place, "birthdays", user.number, words[3], account=place + 1, word=3)
            birthdays.rights[user.number] = READ
            self._add(birthdays)
        self._next = FIRST_FOLDER + FOLDERS_OF_USER * len(self.users)
        for user in self.users.values():
            collected = self.make("contacts", user, self._words(user)[COLLECTED])
            collected.default, collected.word = True, COLLECTED

    def speaks(self, user: User, locale: str) -> None:
        """The user has another language from now on."""
        self.locales[user.number] = locale

    def _words(self, user: User) -> tuple[str, ...]:
        return TITLES[self.locales[user.number].partition("_")[0]]

    def title(self, folder: Folder, user: User) -> str:
        """How the HTTP API and, of address books, DAV show it to a user: what the server named is in the
        user's language."""
        return folder.title if folder.word is None else self._words(user)[folder.word]

    def _own(self, number: int, kind: Kind, owner: int, title: str, *, default: bool = False) -> Folder:
        return Folder(number, kind, owner, title, default=default, rights={owner: OWNER})

    def _add(self, folder: Folder) -> None:
        folder.created = self.clock.tick()
        self.folders[folder.number] = folder

    def make(self, kind: Kind, user: User, title: str, resource: str = "", color: str = "") -> Folder:
        folder = self._own(self._next, kind, user.number, title)
        folder.resource, folder.color = resource, color
        self._next += 1
        self._add(folder)
        return folder

    def has_sibling(self, kind: Kind, user: User, title: str) -> bool:
        """One of the user's own of that kind is stored or shown by this title."""
        return any(title in (one.title, self.title(one, user)) for one in self.own(kind, user))

    def own(self, kind: Kind, user: User) -> list[Folder]:
        return [one for one in self.folders.values() if one.kind == kind and one.owner == user.number]

    def default(self, kind: Kind, user: User) -> Folder:
        return next(one for one in self.own(kind, user) if one.default)

    def visible(self, user: User, *kinds: Kind) -> list[Folder]:
        """Own and shared ones, in the order of listings."""
        found = [one for one in self.folders.values() if one.kind in kinds and one.bits(user.number)]
        return sorted(found, key=lambda one: (one.owner != user.number, not one.default, one.number))

    def by_address(self, address: str) -> User | None:
        return next((user for user in self.users.values() if user.address == address.lower()), None)

    def by_number(self, number: int) -> User:
        return next(user for user in self.users.values() if user.number == number)

    def by_id(self, text: str) -> Folder | None:
        """The folder that the HTTP API calls so; address books also as con://0/N."""
        text = text.removeprefix("con://0/")
        return next((folder for folder in self.folders.values() if folder.id == text), None)

    def display_name(self, folder: Folder, user: User) -> str:
        """In DAV: the default calendar and the default task list have the owner's name, and a shared one
        tells its owner."""
        if folder.number == USERS_BOOK or folder.owner == user.number:
            named = folder.default and folder.kind in ("calendar", "tasks")
            return user.name if named else self.title(folder, user)
        return f"{self.by_number(folder.owner).name}: {self.title(folder, user)}"

    def remove(self, folder: Folder) -> None:
        del self.folders[folder.number]

    def members(self) -> Iterable[User]:
        return self.users.values()
