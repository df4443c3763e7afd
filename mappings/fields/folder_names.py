"""Map folder names to what a server can hold, so that no two folders meet.

Per level, in this order: Unicode NFC (RFC 9051 section 5.1; Dovecot keeps NFC and NFD forms of one name as
two folders); what the server refuses (the hierarchy separator, "/", controls, a leading "~", "." and "..")
becomes a look-alike, which `original` turns back; a name longer than the server's limit in modified UTF-7
(RFC 3501 section 5.1.3) is cut and gets a hash of the whole. A taken name gets a number. A container with a
role goes to the place the server has, or shall have, for it; its sub-folders follow it, but for those of a
default calendar, address book or task list in a flat namespace. Wildcards and spaces at the ends stay unless
the server says that it refuses them: Dovecot 2.4 takes them. If the server holds files (Capabilities.files),
mappings.fields.file_names maps a level, and lengths are those in UTF-8.

A placed container keeps its place: pass it in `fixed`. The result does not depend on the order of the input,
and no two containers get one place. INBOX is the same place in any case.
"""

from __future__ import annotations

import base64
import hashlib
import itertools
import math
import unicodedata
from bisect import bisect_right
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from mappings.fields.file_names import file_name, identity, utf8
from mappings.fields.look_alikes import DOTS, LOOK_ALIKES, UNKNOWN, UNSHOWABLE
from mappings.losses.catalogue import lose
from model.file_names import FileNames
from model.protocols import Capabilities, Container, Loss, Role

Path = tuple[str, ...]

INBOX: Path = ("INBOX",)
PATH_BYTES = 3000
"""The longest whole path planned, separators included, in modified UTF-7.

Dovecot 2.4 took 3,600; Linux stops at 4,096 bytes, the store's own directories included. Fifty levels and
more are no trouble.
"""

REFUSED_FACT = "refused-name-characters"
"""A key in Capabilities.facts: further characters that a server refuses in a name.

A space stands for spaces at either end.
"""

DEFAULTS = frozenset({Role.CALENDAR, Role.CONTACTS, Role.TASKS})
"""Roles whose folder has a name of the target's own in a flat namespace, perhaps that of the account's owner:
it stands in front of no other name."""

_HASH_CHARACTERS = 8
_SHORTEST_CUT = 24


@dataclass(frozen=True, slots=True)
class Placement:
    """Say where a container goes, and what its own level lost."""

    path: Path
    losses: tuple[Loss, ...] = ()


@dataclass(frozen=True, slots=True)
class _Rules:
    """State what the server can hold; path_bytes is that of a whole path, separators included."""

    replace: frozenset[str]
    separator: str
    level_bytes: int
    path_bytes: float = PATH_BYTES
    files: FileNames | None = None

    def bytes(self, text: str) -> int:
        """Return the length of a name in the server's encoding."""
        return utf8(text) if self.files is not None else len(modified_utf7(text))

    def identity(self, path: Path) -> Path:
        """Return a path that is equal for paths of one folder: INBOX has no case (RFC 9051 section 5.1)."""
        if self.files is not None:
            return tuple(identity(name, self.files) for name in path)
        return ("INBOX", *path[1:]) if path and path[0].upper() == "INBOX" else path


@dataclass(frozen=True, slots=True)
class _Node:
    """Describe one folder to place; id is empty for a parent that is only implied by its children's paths."""

    path: Path
    id: str
    name: str
    reasons: frozenset[str]


def plan_names(
    containers: Sequence[Container],
    target: Capabilities,
    special: Mapping[Role, Path],
    fixed: Mapping[str, Path],
) -> dict[str, Placement]:
    """Return a place for every container that moves (omit is None), by id.

    Args:
        containers: of the source.
        target: what the server can hold.
        special: the server's own places, by role; they count before target.mail.
        fixed: places given before, by container id, also of containers no longer listed; they are returned
            unchanged.
    """
    if target.events is not None:
        return _in_one(containers, special)
    rules = _rules_of(target)
    moving = sorted((c for c in containers if c.omit is None), key=lambda c: (len(c.path), c.path, c.id))
    plan = _Plan(rules, fixed.values())
    for container in moving:
        if container.id in fixed:
            plan.settle(container.path, container.id, fixed[container.id])
    for container in moving:
        plan.claim(container, {Role.INBOX: INBOX, **_named(target), **special})
    for depth in range(1, 1 + max((len(c.path) for c in moving), default=0)):
        for node in _nodes(moving, depth, rules):
            plan.place(node)
    return plan.placements


def _named(target: Capabilities) -> dict[Role, Path]:
    return {Role(role): path for role, path in target.mail.special_folders.items()}


def _in_one(containers: Sequence[Container], special: Mapping[Role, Path]) -> dict[str, Placement]:
    """Place every container in the only one; all but its own counterpart lose their name."""
    (role, place), *_ = special.items()
    merged = (lose("name", "in-one-container"),)
    return {
        container.id: Placement(place, () if container.role is role else merged)
        for container in containers
        if container.omit is None
    }


def modified_utf7(text: str) -> bytes:
    """Encode a name in IMAP's modified UTF-7.

    Source:
        RFC 3501, section 5.1.3.
    """
    parts: list[bytes] = []
    for printable, run in itertools.groupby(text, key=lambda char: " " <= char <= "~"):
        chars = "".join(run)
        parts.append(chars.replace("&", "&-").encode() if printable else _shifted(chars))
    return b"".join(parts)


def _shifted(chars: str) -> bytes:
    encoded = base64.b64encode(chars.encode("utf-16-be"), b"+,").rstrip(b"=")
    return b"&" + encoded + b"-"


def _rules_of(target: Capabilities) -> _Rules:
    if target.files is not None:
        files = target.files
        # what lies in the deepest folder needs a name as well
        whole = files.path_bytes - files.bytes if files.path_bytes else math.inf
        return _Rules(frozenset(), target.separator, files.bytes, whole, files)
    refused = set(target.facts.get(REFUSED_FACT, "")) | {"/", target.separator} | set(map(chr, range(0x20)))
    return _Rules(frozenset(refused - {""}) | {"\x7f"}, target.separator, target.name_bytes)


def _nodes(containers: Iterable[Container], depth: int, rules: _Rules) -> list[_Node]:
    """Return all folders of one depth, implied parents too.

    Names that need no change come first, so that they keep what is theirs.
    """
    real = {(c.path, c.id) for c in containers if len(c.path) == depth}
    implied = {(c.path[:depth], "") for c in containers if len(c.path) > depth}
    real_paths = {path for path, _ in real}
    pairs = real | {pair for pair in implied if pair[0] not in real_paths}
    nodes = [_Node(path, id_, *_mapped(path[-1], rules)) for path, id_ in pairs]
    return sorted(nodes, key=lambda node: (bool(node.reasons), node.path, node.id))


def _mapped(name: str, rules: _Rules) -> tuple[str, frozenset[str]]:
    """Return a name that this server can hold, and the reasons why it differs."""
    if rules.files is not None:
        return file_name(name, rules.files)
    reasons: set[str] = set()
    composed = unicodedata.normalize("NFC", name)
    reasons |= {"unicode-normalised"} if composed != name else set()
    trimmed = (composed.strip(" ") if " " in rules.replace else composed) or "_"
    reasons |= {"trimmed"} if trimmed != composed else set()
    replaced = _replaced(trimmed, rules)
    if replaced != trimmed:
        split = rules.separator and rules.separator in trimmed
        reasons.add("separator-replaced" if split else "characters-replaced")
    elif UNKNOWN in trimmed:  # by model.names.readable, or before
        reasons.add("characters-replaced")
    fitting = _cut(replaced, rules.level_bytes, rules)
    reasons |= {"truncated"} if fitting != replaced else set()
    return fitting, frozenset(reasons)


def _replaced(name: str, rules: _Rules) -> str:
    refused = rules.replace - {" "}
    table = {ord(char): LOOK_ALIKES.get(char, UNKNOWN) for char in refused}
    shown = UNSHOWABLE.sub(UNKNOWN, name.translate(table))
    if shown in DOTS:
        return DOTS[shown]
    # A leading "~" means another user's home to Dovecot.
    return LOOK_ALIKES["~"] + shown[1:] if shown.startswith("~") else shown


def _cut(name: str, limit: int, rules: _Rules) -> str:
    """Return the name, or its beginning and a hash of the whole."""
    if rules.bytes(name) <= limit:
        return name
    digest = hashlib.blake2b(name.encode(), digest_size=_HASH_CHARACTERS // 2).hexdigest()
    return _with_end(name, f"~{digest}", limit, rules)


def _with_end(name: str, end: str, limit: int, rules: _Rules) -> str:
    """Return as much of the name as fits before the end, and the end."""
    fits = bisect_right(range(limit), limit, key=lambda length: rules.bytes(name[:length] + end))
    return name[: max(0, fits - 1)].rstrip() + end


class _Plan:
    """Hold the places given so far. Paths are of the source, places of the target."""

    def __init__(self, rules: _Rules, taken: Iterable[Path]) -> None:
        self._rules = rules
        self._taken = {rules.identity(path) for path in taken} | ({INBOX} if rules.files is None else set())
        self._places: dict[Path, Path] = {}
        self._defaults: set[Path] = set()
        self.placements: dict[str, Placement] = {}

    def settle(self, path: Path, id_: str, place: Path, reasons: Iterable[str] = ()) -> None:
        """Give a container its place."""
        self._taken.add(self._rules.identity(place))
        self._places.setdefault(path, place)
        if id_:
            losses = tuple(lose("name", reason) for reason in sorted(reasons))
            self.placements[id_] = Placement(place, losses)

    def claim(self, container: Container, special: Mapping[Role, Path]) -> None:
        """Give a container the server's place for its role, unless it has one or another container has it."""
        place = special.get(container.role) if container.role else None
        if place is None:
            return
        same = self._rules.identity
        taken = {same(placement.path) for placement in self.placements.values()}
        if container.id not in self.placements and same(place) not in taken:
            self.settle(container.path, container.id, place)
        own = self.placements.get(container.id)
        if container.role in DEFAULTS and own is not None and same(own.path) == same(place):
            self._defaults.add(container.path)

    def place(self, node: _Node) -> None:
        """Give a folder a free place, unless it has one."""
        if node.id in self.placements or (not node.id and node.path in self._places):
            return
        reasons = set(node.reasons)
        parent = self._parent(node.path, reasons)
        if not self._rules.separator and parent:
            reasons.add("flattened")
        above = () if not self._rules.separator and node.path[:-1] in self._defaults else parent
        place = self._free(above, node.name, reasons)
        self.settle(node.path, node.id, place, reasons)

    def _parent(self, path: Path, reasons: set[str]) -> Path:
        """Return where the parent went, or the nearest ancestor under which a name still fits."""
        parent = self._places[path[:-1]] if len(path) > 1 else ()
        while parent and self._room(parent) < _SHORTEST_CUT:
            parent = parent[:-1]
            reasons.add("path-shortened")
        return parent

    def _room(self, parent: Path) -> int:
        """Return the bytes for one more level."""
        used = sum(self._rules.bytes(name) + 1 for name in parent)
        return int(min(self._rules.level_bytes, self._rules.path_bytes - used))

    def _free(self, parent: Path, name: str, reasons: set[str]) -> Path:
        room = self._room(parent)
        for number in itertools.count(1):
            end = f" ({number})"
            fitting = _cut(name, room, self._rules) if number == 1 else _ended(name, end, room, self._rules)
            place = self._joined(parent, fitting)
            reasons |= {"taken"} if number == 2 else set()
            if self._rules.identity(place) not in self._taken:
                break
        reasons |= set() if fitting.startswith(name) and place[-1].endswith(fitting) else {"truncated"}
        return place

    def _joined(self, parent: Path, name: str) -> Path:
        """Return a place below a parent; in a flat namespace the levels become one name."""
        if self._rules.separator or not parent:
            return (*parent, name)
        return (_cut(parent[-1] + LOOK_ALIKES["/"] + name, self._rules.level_bytes, self._rules),)


def _ended(name: str, end: str, limit: int, rules: _Rules) -> str:
    return name + end if rules.bytes(name + end) <= limit else _with_end(name, end, limit, rules)
