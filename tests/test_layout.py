"""The shape of the project: imports point one way, files stay small, no drawer for odds and ends."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGES = ("flows", "connectors", "mappings", "ledger", "practice")
MAY_IMPORT = {
    "flows": {"flows", "mappings", "ledger", "connectors"},
    "mappings": {"mappings", "connectors"},
    "ledger": {"ledger", "connectors"},
    "connectors": {"connectors"},
    "practice": set(PACKAGES),
}
PRACTISING = {
    "kogge/prepare/server.py",
    "kogge/prepare/init.py",
    "kogge/app.py",
    "kogge/prepare/practice_servers.py",
}
"""What starts the practice servers for a person."""

BASE = {
    "model.protocols",
    "model.errors",
    "model.event_limits",
    "model.file_names",
    "model.file_versions",
    "connectors.settings",
}
"""What mappings and the ledger may know of the connectors."""

BANNED = {"utils", "util", "helpers", "helper", "core", "common", "misc", "tools", "shared", "lib"}
LINES = 600
"""More than this is more than one subject. Fewer are usual: 100 to 400."""


def sources(*folders: str) -> list[Path]:
    return sorted(path for folder in folders for path in (ROOT / folder).rglob("*.py"))


def name(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def imported(path: Path) -> Iterator[str]:
    """Full names of the project's own modules that a file imports, wherever in it."""
    for node in ast.walk(ast.parse(path.read_bytes())):
        if isinstance(node, ast.Import):
            found = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            found = [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
        else:
            continue
        yield from (module for module in found if module.partition(".")[0] in PACKAGES)


@pytest.mark.parametrize("path", sources(*PACKAGES), ids=name)
def test_imports_point_one_way(path: Path) -> None:
    package = path.relative_to(ROOT).parts[0]
    allowed = MAY_IMPORT[package] | ({"practice"} if name(path) in PRACTISING else set())
    assert {module.partition(".")[0] for module in imported(path)} <= allowed


@pytest.mark.parametrize("path", sources("mappings", "ledger"), ids=name)
def test_mappings_and_ledger_know_no_connector(path: Path) -> None:
    known = {module for module in imported(path) if module.startswith("connectors.")}
    assert {".".join(module.split(".")[:2]) for module in known} <= BASE


def test_every_python_file_is_short() -> None:
    long = {name(path): count for path in sources(*PACKAGES, "tests") if (count := lines(path)) > LINES}
    assert long == {}


def lines(path: Path) -> int:
    return len(path.read_bytes().splitlines())


def test_no_drawer_for_odds_and_ends() -> None:
    paths = [path.relative_to(ROOT).with_suffix("") for path in sources(*PACKAGES, "tests")]
    assert {part for path in paths for part in path.parts} & BANNED == set()


def test_no_standard_library_names_inside_flows() -> None:
    import sys

    own = {path.stem for path in (ROOT / "flows").glob("*.py")} - {"__init__"}
    assert own & sys.stdlib_module_names == set()


def test_entry_points_are_modules() -> None:
    """With a path, Prefect puts flows/ on sys.path and the same class exists twice."""
    entries = [
        line.partition(":")[2].strip()
        for line in (ROOT / "prefect.yaml").read_text().splitlines()
        if line.strip().startswith("entrypoint:")
    ]
    assert len(entries) == 7
    for entry in entries:
        assert "/" not in entry
        assert ".py" not in entry
        module, _, flow = entry.rpartition(".")
        assert hasattr(__import__(module, fromlist=[flow]), flow)
