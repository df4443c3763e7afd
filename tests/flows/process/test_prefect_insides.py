"""What Prefect promises to nobody is named in one file, and was read for this minor version."""

from __future__ import annotations

import ast
import importlib
import inspect
import re
from pathlib import Path

import prefect
import pytest

from flows.process.prefect_insides import HERE, INSIDES, LOADS, OF_BASE_WORKER, REVIEWED, Inside

ROOT = Path(__file__).parents[3]
CODE = ("kogge", "flows", "reports", "evidence", "engine", "practice")


def test_a_new_minor_version_of_prefect_is_read_before_it_is_taken() -> None:
    to_read = "\n".join(f"{one.module}.{one.name} ({one.user}); run {one.test}" for one in INSIDES)
    minor = ".".join(prefect.__version__.split(".")[:2])
    assert minor == REVIEWED, f"Read these in Prefect {minor}, then set REVIEWED in {HERE}:\n{to_read}"


def test_no_other_minor_version_can_be_installed() -> None:
    major, minor = REVIEWED.split(".")
    wanted = f'"prefect>={REVIEWED},<{major}.{int(minor) + 1}"'
    assert wanted in (ROOT / "pyproject.toml").read_text()


def taken(inside: Inside) -> tuple[str, ...]:
    """Its parameters. What refuse_loads replaces in this process is read in the source."""
    found = importlib.import_module(inside.module)
    if inside.user == LOADS:
        tree = ast.parse(inspect.getsource(found))
        (made,) = [
            one
            for one in tree.body
            if isinstance(one, ast.FunctionDef | ast.AsyncFunctionDef) and one.name == inside.name
        ]
        return tuple(one.arg for one in made.args.args)
    for part in inside.name.split("."):
        found = getattr(found, part)
    return tuple(inspect.signature(found).parameters)


@pytest.mark.parametrize("inside", INSIDES, ids=lambda one: f"{one.module}.{one.name}")
def test_it_takes_what_we_know_of(inside: Inside) -> None:
    assert taken(inside) == inside.takes
    assert (ROOT / inside.test).is_file()
    last = inside.name.rpartition(".")[2]
    assert last in (ROOT / inside.user).read_text().replace(f'"{inside.name}"', ""), "nobody uses it any more"


def test_private_modules_are_imported_in_one_file() -> None:
    found = {
        str(path.relative_to(ROOT)): module
        for folder in CODE
        for path in (ROOT / folder).rglob("*.py")
        for module in imported(path)
        if module.startswith("prefect.") and "._" in module
    }
    assert {*found} == {HERE}, found


def imported(path: Path) -> set[str]:
    tree = ast.parse(path.read_text())
    named = {one.module for one in ast.walk(tree) if isinstance(one, ast.ImportFrom) and one.module}
    whole = {name.name for one in ast.walk(tree) if isinstance(one, ast.Import) for name in one.names}
    return named | whole


def test_what_a_worker_does_otherwise_is_named() -> None:
    """Its methods that Prefect's worker has under the same private name, and what it reads of that one."""
    from prefect.workers.base import BaseWorker
    from prefect.workers.process import ProcessWorker

    from flows.deploy.worker import Worker

    own = (ROOT / "flows/deploy/worker.py").read_text()
    read = {*re.findall(r"(?<=self\.)_\w+", own)}
    assert read == {*OF_BASE_WORKER}
    made = inspect.getsource(BaseWorker.__init__)
    assert {one for one in read if f"self.{one}" in made} == read
    private = {name for name, value in vars(Worker).items() if name[0] == "_" != name[1] and callable(value)}
    taken = {name for name in private if hasattr(ProcessWorker, name)}
    assert taken == {one.name.rpartition(".")[2] for one in INSIDES if "BaseWorker._" in one.name}
