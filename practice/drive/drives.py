"""Hold the drives of a practice world: a OneDrive for each person, and sites with their libraries.

drives = Drives(world, Tree(files=100))
drive = drives.of(world.addresses()[0])
note = drive.write(drive.root, "note.txt", b"...")
drive.rename(note, "other.txt")

Nothing exists until it is read. Changes may be made at any time; they hold the world's lock.
"""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import quote

from practice.drive.drive import Drive
from practice.drive.drive_population import Tree, populate
from practice.drive.sites import MY_HOST, Site, make_site
from practice.world.people import Person
from practice.world.world import World

SITES = {"sites/bauamt": "Bauamt", "teams/projekt": "Projekt Küste"}


class Drives:
    """Make drives when they are read.

    Attributes:
        tree: what lies in each person's drive.
        library: what lies in each site's libraries.
        without: addresses of people who have no OneDrive.
    """

    def __init__(self, world: World, tree: Tree | None = None, library: Tree | None = None) -> None:
        self.world = world
        self.without: set[str] = set()
        self._tree = tree or Tree()
        self._library = library or Tree(files=12, nasty=False)
        self._people: dict[int, Drive] = {}
        self._sites: dict[str, Site] = {}

    def of(self, address: str) -> Drive:
        """Return a person's own drive.

        Raises:
            KeyError: there is none.
        """
        person = self.world.person(address)
        with self.world.lock:
            if person.address in self.without:
                raise KeyError("no OneDrive")
            if person.index not in self._people:
                self._people[person.index] = self._made(person)
            return self._people[person.index]

    def site(self, path: str) -> Site:
        """Return a site by its path below the host, in any case, or by its id.

        Raises:
            KeyError: there is none.
        """
        with self.world.lock:
            path = path.lower()
            if path in SITES and path not in self._sites:
                site = make_site(self.world.seed, path, SITES[path], self.world.lock)
                for library in site.libraries:
                    populate(library, self._library, self.world.people)
                self._sites[path] = site
            if path in self._sites:
                return self._sites[path]
            for one in map(self.site, SITES):
                if one.id == path:
                    return one
        raise KeyError("no such site")

    def find(self, id_: str) -> Drive:
        """Return a drive by its id.

        Raises:
            KeyError: there is none.
        """
        for drive in self._all():
            if drive.id == id_:
                return drive
        raise KeyError("no such drive")

    def by_web(self, url: str) -> tuple[Drive, tuple[str, ...]]:
        """Return the drive that an address in a browser leads into, and the rest of its path, still quoted.

        Raises:
            KeyError: it leads into no drive.
        """
        for drive in self._all():
            if url == drive.web or url.startswith(f"{drive.web}/"):
                return drive, tuple(url[len(drive.web) :].strip("/").split("/"))
        raise KeyError("no such address")

    def _all(self) -> Iterator[Drive]:
        known = dict(self._people)
        yield from known.values()
        for path in SITES:
            yield from self.site(path).libraries
        for index in range(self.world.people.count):
            person = self.world.people.at(index)
            if index not in known and person.address not in self.without:
                yield self.of(person.address)

    def _made(self, person: Person) -> Drive:
        account = quote(person.address.replace("@", "_").replace(".", "_"))
        web = f"https://{MY_HOST}/personal/{account}/Documents"
        drive = Drive(self.world.seed, person.address, "OneDrive", web, person, self.world.lock)
        populate(drive, self._tree, self.world.people)
        return drive
