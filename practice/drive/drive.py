"""Hold one practice drive: a tree of files that people change.

Every change has a number, by which Graph's delta lists it: of each item the latest state, once. What lies
below a folder that was renamed, moved or deleted is not listed again.
"""

from __future__ import annotations

import base64
import threading
import uuid
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from enum import StrEnum

from practice.drive.drive_content import EMPTY, Content
from practice.drive.drive_shares import Permission
from practice.harness.dice import Dice, digest
from practice.world.people import Person

START = datetime(2019, 5, 6, 7, 8, 9, tzinfo=UTC)


class Form(StrEnum):
    """Name what a node is.

    Attributes:
        NOTEBOOK: a package of OneNote, which looks like a folder but is none.
        SHORTCUT: a link to a folder in somebody else's drive.
    """

    FOLDER = "folder"
    FILE = "file"
    NOTEBOOK = "notebook"
    SHORTCUT = "shortcut"


@dataclass(frozen=True, slots=True)
class Version:
    """Hold an older state of a file's bytes.

    Attributes:
        stated: the size that Graph states, if it is another.
    """

    number: int
    content: Content
    modified: datetime
    infected: bool = False
    stated: int | None = None


@dataclass(eq=False, slots=True)
class Node:
    """Hold a file or folder.

    Attributes:
        changed: the number of the latest change.
        version: counts changes of the bytes.
        revision: counts all changes.
        alone: True if it inherits no shares.
        stated: the quickXorHash that Graph states; "" for none, None for the right one.
    """

    id: str
    name: str
    form: Form
    parent: Node | None
    created: datetime
    modified: datetime
    content: Content = EMPTY
    changed: int = 0
    revision: int = 1
    version: int = 1
    deleted: bool = False
    infected: bool = False
    alone: bool = False
    stated: str | None = None
    older: list[Version] = field(default_factory=list)
    shares: list[Permission] = field(default_factory=list)
    children: dict[str, Node] = field(default_factory=dict)

    @property
    def path(self) -> tuple[str, ...]:
        """Return the names below the drive."""
        names = []
        node: Node = self
        while node.parent is not None:
            names.append(node.name)
            node = node.parent
        return tuple(reversed(names))

    @property
    def size(self) -> int:
        """Return the size; a folder's is the size of all that lies below it, which costs a walk."""
        return self.content.size if self.form is Form.FILE else sum(one.content.size for one in self.walk())

    @property
    def quickxor(self) -> str:
        """Return the hash that Graph states; "" if it states none, as for a file without bytes."""
        if self.stated is not None:
            return self.stated
        return self.content.quickxor if self.content.size else ""

    @property
    def guid(self) -> str:
        """Return the GUID that addresses name."""
        return str(uuid.UUID(bytes=digest(self.id, "guid"))).upper()

    def was(self, number: int) -> Node:
        """Return the file as it was, under an id of its own.

        Raises:
            KeyError: there is no such version.
        """
        for one in self.older:
            if one.number == number:
                return replace(
                    self,
                    id=f"{self.id}/{number}",
                    content=one.content,
                    modified=one.modified,
                    version=number,
                    infected=one.infected,
                    stated=None,
                )
        raise KeyError("no such version")

    def heritage(self) -> Iterator[Node]:
        """Yield the folders above whose shares it has as well."""
        node = self
        while not node.alone and node.parent is not None:
            node = node.parent
            yield node

    def walk(self) -> Iterator[Node]:
        """Yield all that lies below, parents first."""
        todo = list(self.children.values())
        while todo:
            node = todo.pop()
            yield node
            todo += node.children.values()

    def lineage(self) -> Iterator[Node]:
        """Yield its parent, and so on up."""
        node = self.parent
        while node is not None:
            yield node
            node = node.parent


class Drive:
    """Hold one tree.

    Its methods hold `lock`; whoever reads more than one thing does so too.

    Attributes:
        owner: of a person's drive; None for a site's.
        web: its address in a browser.
    """

    def __init__(
        self,
        seed: int,
        key: str,
        name: str,
        web: str,
        owner: Person | None = None,
        lock: threading.RLock | None = None,
    ) -> None:
        self.seed = seed
        self.key = key
        self.name = name
        self.web = web
        self.owner = owner
        self.lock = lock or threading.RLock()
        self.id = "b!" + base64.urlsafe_b64encode(digest(seed, "drive", key, size=48)).decode()
        self.era = 0
        self.nodes: dict[str, Node] = {}
        self._log: list[tuple[int, Node]] = []
        self._born = 0
        self.root = self._born_node("root", Form.FOLDER, None, START)
        self._log_change(self.root)

    @property
    def change(self) -> int:
        """Return the number of the newest change."""
        return self._log[-1][0]

    def changes(self, since: int, most: int, up_to: int | None = None) -> list[tuple[int, Node]]:
        """Return the next `most` changes after one, in their order; of each node only the latest."""
        high = self.change if up_to is None else up_to
        found: list[tuple[int, Node]] = []
        for at in range(bisect_right(self._log, since, key=lambda one: one[0]), len(self._log)):
            number, node = self._log[at]
            if number > high or len(found) == most:
                break
            if node.changed == number:
                found.append((number, node))
        return found

    def lose_tokens(self) -> None:
        """Make every token of a delta invalid."""
        self.era += 1

    def at(self, *path: str) -> Node:
        """Return a node by names below the drive.

        Raises:
            KeyError: there is none.
        """
        node = self.root
        for name in path:
            node = node.children[name]
        return node

    def find(self, id_: str) -> Node:
        """Return a node by id, also by the id of a file as it was.

        Raises:
            KeyError: there is none, or it was deleted.
        """
        id_, _, number = id_.partition("/")
        node = self.root if id_ == "root" else self.nodes[id_]
        if node.deleted or any(one.deleted for one in node.lineage()):
            raise KeyError("deleted")
        return node.was(int(number)) if number else node

    # What people do

    def folder(self, parent: Node, name: str, modified: datetime | None = None) -> Node:
        """Make a folder."""
        return self._add(parent, name, Form.FOLDER, EMPTY, modified)

    def write(
        self, parent: Node, name: str, content: bytes | Content, modified: datetime | None = None
    ) -> Node:
        """Make a file, or a new version of the one with this name."""
        given = Content.of(content) if isinstance(content, bytes) else content
        with self.lock:
            node = parent.children.get(name)
            if node is None:
                return self._add(parent, name, Form.FILE, given, modified)
            node.older.insert(0, Version(node.version, node.content, node.modified))
            node.content = given
            node.stated = None
            node.version += 1
            node.modified = modified or node.modified + timedelta(minutes=1)
            self._changed(node)
            return node

    def notebook(self, parent: Node, name: str) -> Node:
        """Make a OneNote notebook: two files that are no files of the drive."""
        with self.lock:
            node = self._add(parent, name, Form.NOTEBOOK, EMPTY, None)
            self.write(node, "Erste Seiten.one", b"\xe4\x52\x5c\x7b one")
            self.write(node, "Open Notebook.onetoc2", b"\xa1\x2f\xff\x43 toc")
            return node

    def shortcut(self, parent: Node, name: str) -> Node:
        """Show a folder of somebody else here."""
        return self._add(parent, name, Form.SHORTCUT, EMPTY, None)

    def rename(self, node: Node, name: str) -> None:
        """Rename a node."""
        self.move(node, node.parent or self.root, name)

    def move(self, node: Node, parent: Node, name: str | None = None) -> None:
        """Move a node.

        Raises:
            KeyError: something with this name is there.
        """
        with self.lock:
            name = name or node.name
            if node.parent is None or parent.children.get(name, node) is not node:
                raise KeyError("taken")
            del node.parent.children[node.name]
            self._changed_above(node)
            node.parent, node.name = parent, name
            parent.children[name] = node
            self._changed(node)

    def touch(self, node: Node, modified: datetime) -> None:
        """Change only a node's date."""
        with self.lock:
            node.modified = modified
            self._changed(node)

    def delete(self, node: Node) -> None:
        """Delete a node with all that lies below, which no delta lists."""
        with self.lock:
            if node.parent is None:
                raise KeyError("a drive has a root")
            del node.parent.children[node.name]
            node.deleted = True
            self._changed(node)

    def share(self, node: Node, *permissions: Permission) -> None:
        """Share a node with further people."""
        with self.lock:
            node.shares += permissions
            self._changed(node)

    def unshare(self, node: Node) -> None:
        """Share a node with no one."""
        with self.lock:
            node.shares.clear()
            self._changed(node)

    def part(self, node: Node) -> None:
        """Let a node inherit no shares from now on."""
        with self.lock:
            node.alone = True
            self._changed(node)

    def infect(self, node: Node) -> None:
        """Call a file malware from now on; its bytes are not given out."""
        with self.lock:
            node.infected = True
            self._changed(node)

    def spoil(self, node: Node, number: int, *, infected: bool = False, stated: int | None = None) -> None:
        """Damage one of a file's older versions.

        Args:
            node: the file.
            number: of the version.
            infected: True if the version is called malware.
            stated: the size that Graph states from now on.
        """
        with self.lock:
            node.older = [
                replace(one, infected=infected, stated=stated) if one.number == number else one
                for one in node.older
            ]

    def state(self, node: Node, quickxor: str | None) -> None:
        """Graph tells this hash from now on, whatever the bytes are; "" for none, None for the right one."""
        with self.lock:
            node.stated = quickxor

    # How it is stored

    def _add(self, parent: Node, name: str, form: Form, content: Content, modified: datetime | None) -> Node:
        with self.lock:
            if name in parent.children:
                raise KeyError("taken")
            minutes = Dice(self.seed, self.key, self._born, "age").below(2_500_000)
            node = self._born_node(name, form, parent, modified or START + timedelta(minutes=minutes))
            node.content = content
            parent.children[name] = node
            self._changed(node, first=True)
            return node

    def _born_node(self, name: str, form: Form, parent: Node | None, modified: datetime) -> Node:
        self._born += 1
        id_ = "01" + base64.b32encode(digest(self.seed, self.key, self._born, size=20)).decode()
        node = Node(id_, name, form, parent, min(modified, START + timedelta(days=2000)), modified)
        self.nodes[id_] = node
        return node

    def _changed(self, node: Node, *, first: bool = False) -> None:
        if not first:
            node.revision += 1
        self._log_change(node)
        self._changed_above(node)

    def _changed_above(self, node: Node) -> None:
        for folder in node.lineage():
            self._log_change(folder)

    def _log_change(self, node: Node) -> None:
        node.changed = self._log[-1][0] + 1 if self._log else 1
        self._log.append((node.changed, node))
