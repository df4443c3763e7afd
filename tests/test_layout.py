"""The shape of the project: imports point one way, from floor to floor and from room to room."""

from __future__ import annotations

import ast
import sys
from collections import Counter
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import TypeVar

import pytest

ROOT = Path(__file__).parent.parent
Node = TypeVar("Node", bound=ast.AST)

FLOORS = (
    ("model",),
    ("connectors", "mappings", "ledger"),
    ("engine",),
    ("evidence", "reports"),
    ("flows",),
    ("kogge",),
)
"""A package imports itself and what is on lower floors, and nothing beside it."""

ROOMS = {
    "connectors": (
        "",
        "http",
        "catalogue",
        "exchange",
        "exo",
        "imap",
        "sieve",
        "smtp",
        "folder_rights",
        "webdav",
        "ews",
        "caldav",
        "open_xchange",
        "files",
        "graph_api",
        "graph_drives",
        "graph",
    ),
    "mappings": (
        "losses",
        "compare",
        "fields",
        "files",
        "mail",
        "icalendar",
        "time",
        "notes",
        "exchange",
        "rules",
        "hours",
        "rights",
        "vcard",
        "fit",
        "contacts",
        "calendar",
        "from_ical",
        "",
    ),
    "ledger": ("db", "plan", "inventory", "views", "leg", "migrations", ""),
    "engine": (
        "config",
        "control",
        "planning",
        "context",
        "identity",
        "files",
        "pacing",
        "steps",
        "restored",
        "opening",
        "verify",
        "approvals",
        "leg",
        "",
        "preflight",
        "cutover",
        "rollback",
    ),
    "engine/steps": ("", "beginning", "settling", "listing", "copying", "following"),
    "flows": ("process", "deploy", "display", ""),
    "kogge": ("terminal", "shown", "prepare", "approve", "audit", "run", ""),
}
"""The rooms of a folder, lowest first; "" is what lies in the folder itself. A room imports itself and lower
ones. The steps of a leg stand in the order of its walk."""

PACKAGES = tuple(package for floor in FLOORS for package in floor)
CODE = (*PACKAGES, "practice", "handbook")

BESIDE = {"practice", "handbook"}
"""Packages that no production install has: servers to practise on, and the builder of the documentation."""

PRACTISING = {
    "kogge/prepare/practice.py",
    "kogge/prepare/init.py",
    "kogge/app.py",
    "kogge/prepare/practice_servers.py",
}
"""What starts the practice servers for a person."""

OF_ONE_ROOM = {"typer": "kogge", "rich": "kogge", "prefect": "flows"}
BLOCKS = "connectors/settings.py"
"""A secret may be a block of Prefect: it is read where secrets are read."""

HTTP = {
    "urllib3": "connectors/http",
    "requests": "connectors/ews/handshakes.py",
    "exchangelib": "connectors/ews/handshakes.py",
    "httpx": "",
    "aiohttp": "",
    "niquests": "",
}
"""Which code below the flows may use a library for HTTP: one transport, and a sign-in that is written for
requests. "": none."""
BELOW_FLOWS = ("connectors", "engine", "ledger", "mappings", "model")

BANNED = {"utils", "util", "helpers", "helper", "core", "common", "misc", "tools", "shared", "lib"}
LINES = 600
"""More than this is more than one subject. Fewer are usual: 100 to 400."""
READ_ALONE = {"evidence/verifier.py": 2400}
"""An auditor gets this one file alone, and reads it from top to bottom. It cannot be split, and it must not
be made dense to be short: each check has its own function, which says what it checks and why. What makes the
verdict comes first, and has a limit of its own (tests/evidence/test_auditor.py). A third of it is
what it says, in three languages."""
FILES = 22
"""In one folder, before somebody asks whether it is two. What is one subject is named in ONE_SUBJECT, and may
have as many as it takes."""
ONE_SUBJECT = {
    "connectors/caldav": "one target for events, contacts and tasks: its verbs, and each product's quirks",
    "connectors/ews": "one source: what it asks, what comes back, and each kind of record",
    "connectors/imap": "one protocol, as source and target: each verb and each habit of servers is a file",
    "model": "the vocabulary: each noun is a file",
    "tests/support": "each file is one thing that tests import by its name",
}
"""Folders with more files than FILES, and why they are not divided."""
ALONE = {"engine", "kogge", "mappings", "practice", "ledger/migrations"}
"""Folders with one module beside their rooms: the door to them."""


def sources(*folders: str) -> list[Path]:
    return sorted(path for folder in folders for path in (ROOT / folder).rglob("*.py"))


def name(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


@cache
def modules() -> frozenset[str]:
    paths = (path.relative_to(ROOT).with_suffix("") for path in sources(*CODE))
    return frozenset(".".join(path.parts).removesuffix(".__init__") for path in paths)


@cache
def imported(path: Path) -> frozenset[str]:
    """Full names of all modules that a file imports, wherever in it, for types too."""
    return frozenset(_imported(path))


def _imported(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_bytes())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            for alias in node.names:
                full = f"{node.module}.{alias.name}"
                yield full if full in modules() else node.module


def own(path: Path) -> frozenset[str]:
    """Those of the project."""
    return frozenset(module for module in imported(path) if module.partition(".")[0] in CODE)


def room(module: str, folder: str) -> str:
    """The room of a module, within a folder."""
    parts = module.removeprefix(folder.replace("/", ".")).removeprefix(".").split(".")
    return parts[0] if len(parts) > 1 else ""


def test_floors_know_lower_floors() -> None:
    strange = {name(path): above(path) for path in sources(*PACKAGES)}
    assert {path: found for path, found in strange.items() if found} == {}


def above(path: Path) -> set[str]:
    """The packages a file imports from its own floor or a higher one."""
    package = path.relative_to(ROOT).parts[0]
    height = next(number for number, floor in enumerate(FLOORS) if package in floor)
    below = {one for floor in FLOORS[:height] for one in floor}
    allowed = below | {package} | ({"practice"} if name(path) in PRACTISING else set())
    return {module.partition(".")[0] for module in own(path)} - allowed


def test_rooms_know_lower_rooms() -> None:
    strange = {(folder, name(path)): higher(path, folder) for folder in ROOMS for path in sources(folder)}
    assert {path: found for path, found in strange.items() if found} == {}


def higher(path: Path, folder: str) -> set[str]:
    """The rooms of a folder that a file in it imports and must not."""
    order, inner = ROOMS[folder], path.relative_to(ROOT / folder).parts
    here = inner[0] if len(inner) > 1 else ""
    within = folder.replace("/", ".")
    known = {room(module, folder) for module in own(path) if f"{module}.".startswith(f"{within}.")}
    if here == "" and path.stem == "__init__":
        return known
    return known - set(order[: order.index(here) + 1])


def test_a_library_stays_in_its_room() -> None:
    strange = {name(path): libraries_astray(path) for path in sources(*CODE)}
    assert {path: found for path, found in strange.items() if found} == {BLOCKS: {"prefect"}}


def libraries_astray(path: Path) -> set[str]:
    package = path.relative_to(ROOT).parts[0]
    libraries = {module.partition(".")[0] for module in imported(path)} & OF_ONE_ROOM.keys()
    return {one for one in libraries if OF_ONE_ROOM[one] != package and package not in BESIDE}


EVERY_EXCEPTION = {
    "engine/control/error_log.py": 2,  # the boundary of a mailbox
    "engine/steps/copying/copy.py": 1,  # settles what is known, and raises it again
    "engine/control/lease.py": 2,  # threads that must not die: the sockets would stay open
    "engine/pacing/watchdog.py": 1,  # a thread that must not die: nobody would hear of a pause
    "evidence/verifier.py": 2,  # an auditor's program: whatever is wrong with a pack is its verdict
}
"""How often a file catches every exception, and why it may."""


def test_every_exception_is_caught_at_one_boundary() -> None:
    found: dict[str, int] = {}
    for path in sources(*CODE):
        caught = [node.type for node in nodes(path, ast.ExceptHandler)]
        count = sum(kind is None or getattr(kind, "id", "") == "Exception" for kind in caught)
        if count:
            found[name(path)] = count
    assert found == EVERY_EXCEPTION


def test_what_a_call_needs_is_a_parameter() -> None:
    """No context variables, and no attributes or methods that are set on somebody else's objects by name."""
    names = {name(path): {node.id for node in nodes(path, ast.Name)} for path in sources(*CODE)}
    assert {path for path, used in names.items() if "ContextVar" in used} == {"ledger/db/engine.py"}
    # What Prefect's client must never load is a list of names, and each of them is made to refuse.
    by_name = {path for path, used in names.items() if used & {"setattr", "delattr"}}
    assert by_name == {"flows/process/refused_loads.py"}


def nodes(path: Path, kind: type[Node]) -> list[Node]:
    return [node for node in ast.walk(ast.parse(path.read_bytes())) if isinstance(node, kind)]


def test_http_is_spoken_by_one_transport() -> None:
    strange = {name(path): http_astray(path) for path in sources(*BELOW_FLOWS)}
    assert {path: found for path, found in strange.items() if found} == {}


def http_astray(path: Path) -> set[str]:
    used = {module.partition(".")[0] for module in imported(path)} & HTTP.keys()
    return {one for one in used if not HTTP[one] or not name(path).startswith(HTTP[one])}


def test_every_python_file_is_short() -> None:
    counts = {name(path): lines(path) for path in sources(*CODE, "tests")}
    assert {path: count for path, count in counts.items() if count > READ_ALONE.get(path, LINES)} == {}


def lines(path: Path) -> int:
    return len(path.read_bytes().splitlines())


@pytest.mark.parametrize(
    "folder", sorted({path.parent for path in sources(*CODE) if "versions" not in path.parts}), ids=name
)
def test_a_folder_can_be_looked_over(folder: Path) -> None:
    files = [path for path in folder.glob("*.py") if path.stem != "__init__"]
    assert len(files) <= FILES or name(folder) in ONE_SUBJECT
    assert len(files) > 1 or name(folder) in ALONE
    assert ast.get_docstring(ast.parse((folder / "__init__.py").read_text())) or "migrations" in folder.parts


def test_practice_carries_what_a_person_is_shown() -> None:
    """What only tests use lies in tests/support/servers, and is imported as servers."""
    carried: set[Path] = set()
    waiting = [ROOT / "practice" / "demo.py", *sources("kogge", "handbook", "practice/screenshots")]
    while waiting:
        path = waiting.pop()
        if path.is_file() and path not in carried:
            carried.add(path)
            waiting += [ROOT.joinpath(*module.split(".")).with_suffix(".py") for module in own(path)]
    there = {path for path in sources("practice") if path.stem != "__init__"}
    assert {name(path) for path in there - carried} == set()


def test_nothing_beside_the_tests_imports_what_is_theirs() -> None:
    theirs = {path.stem for path in (ROOT / "tests" / "support").iterdir()}
    strange = {
        name(path): {one.partition(".")[0] for one in imported(path)} & theirs for path in sources(*CODE)
    }
    assert {path: found for path, found in strange.items() if found} == {}


def test_no_drawer_for_odds_and_ends() -> None:
    paths = [path.relative_to(ROOT).with_suffix("") for path in sources(*CODE, "tests")]
    assert {part for path in paths for part in path.parts} & BANNED == set()


def test_no_package_has_the_name_of_a_library() -> None:
    assert set(CODE) & sys.stdlib_module_names == set()


def test_entry_points_are_modules() -> None:
    """With a path, Prefect puts flows/ on sys.path and the same class exists twice."""
    entries = [
        line.partition(":")[2].strip()
        for line in (ROOT / "prefect.yaml").read_text().splitlines()
        if line.strip().startswith("entrypoint:")
    ]
    assert len(entries) == 10
    for entry in entries:
        assert "/" not in entry
        assert ".py" not in entry
        module, _, flow = entry.rpartition(".")
        assert hasattr(__import__(module, fromlist=[flow]), flow)


@cache
def written_alike() -> dict[str, list[str]]:
    """The places of each function and class beside the tests that several test modules have, word for word
    but for its docstring."""
    places: dict[str, list[str]] = {}
    for path in sources("tests"):
        for node in ast.parse(path.read_bytes()).body:
            if isinstance(node, ast.FunctionDef | ast.ClassDef) and not node.name.startswith("test_"):
                if ast.get_docstring(node) is not None:
                    node.body = node.body[1:]
                places.setdefault(ast.dump(node), []).append(f"{name(path)}:{node.name}")
    return places


def test_what_three_test_modules_need_is_written_once() -> None:
    """In tests/support, or in the conftest.py of their folder."""
    alike = [found for found in written_alike().values() if len(found) > 2]
    assert alike == []


def test_no_two_test_modules_have_one_name() -> None:
    """Python has one module of a name: pytest would not collect the second one."""
    names = Counter(path.name for path in sources("tests") if path.name.startswith("test_"))
    assert [one for one, count in names.items() if count > 1] == []


@pytest.mark.parametrize(
    "folder", sorted({path.parent for path in sources("tests")} - {ROOT / "tests"}), ids=name
)
def test_a_folder_of_tests_can_be_looked_over(folder: Path) -> None:
    files = [path for path in folder.glob("*.py") if path.stem not in {"__init__", "conftest"}]
    assert len(files) <= FILES or name(folder) in ONE_SUBJECT


def test_each_decision_has_a_number_of_its_own() -> None:
    numbers = [path.name.partition("-")[0] for path in (ROOT / "docs" / "adr").glob("[0-9]*.md")]
    assert sorted(set(numbers)) == sorted(numbers)
    for path in (ROOT / "docs" / "adr").glob("[0-9]*.md"):
        assert path.read_text().startswith(f"# {int(path.name.partition('-')[0])}. "), path.name
