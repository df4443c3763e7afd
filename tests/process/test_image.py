"""The Dockerfile's own steps, without Docker: what uv makes there runs alone, from anywhere."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from importlib.metadata import distributions, version
from pathlib import Path

import pytest
from services import needed

ROOT = Path(__file__).parents[2]
USE = """
import sys, tempfile
import flows, prefect_redis
from flows import janitor, migrate, rollback
from ledger.store import Ledger
import kogge.app
assert flows.__file__.startswith(sys.prefix), flows.__file__
with tempfile.TemporaryDirectory() as folder:
    ledger = Ledger(f"sqlite:///{folder}/ledger.db")
    ledger.migrate()
    ledger.close()
"""


@pytest.fixture(scope="module")
def steps() -> str:
    return (ROOT / "Dockerfile").read_text().replace("\\\n", " ")


@pytest.fixture(scope="module")
def environment(steps: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the RUN lines with uv leave, from the files that COPY names and no others."""
    uv = shutil.which("uv") or str(ROOT / ".uv" / "bin" / "uv")
    needed(Path(uv).exists(), "uv is not installed")
    source = tmp_path_factory.mktemp("source")
    made = tmp_path_factory.mktemp("image") / "kogge"
    told = dict(re.findall(r"(UV_\w+)=(\S+)", steps)) | {"UV_PROJECT_ENVIRONMENT": str(made)}
    inherited = {
        name: value for name, value in os.environ.items() if not name.startswith(("UV_", "VIRTUAL_"))
    }
    (extras,) = re.findall(r'^ARG EXTRAS="(.*)"$', steps, re.MULTILINE)
    del told["UV_COMPILE_BYTECODE"]  # slow, and nothing depends on it
    for line in steps.splitlines():
        if line.startswith("COPY") and "--from" not in line:
            *names, _ = line.split()[1:]
            for name in names:
                (source / name).parent.mkdir(parents=True, exist_ok=True)
                take = shutil.copytree if (ROOT / name).is_dir() else shutil.copy
                take(ROOT / name, source / name)
        elif line.startswith(("RUN uv ", "RUN deploy/", "RUN /opt/kogge/")):
            command = line.replace("${EXTRAS}", extras).replace("/opt/kogge", str(made)).split()[1:]
            given = inherited | told | {"PATH": f"{Path(uv).parent}:{os.environ['PATH']}"}
            done = subprocess.run(command, cwd=source, env=given, capture_output=True, text=True, check=False)
            assert done.returncode == 0, done.stderr
    return made


def test_it_runs_alone(environment: Path, tmp_path: Path) -> None:
    alone = {"PATH": f"{environment / 'bin'}:/usr/bin:/bin", "HOME": str(tmp_path)}
    done = subprocess.run(
        ["python", "-I", "-c", USE], cwd=tmp_path, env=alone, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


def test_it_carries_no_practice_server(environment: Path) -> None:
    packages = {path.name for path in environment.glob("lib/python*/site-packages/*")}
    assert "imapclient" in packages
    assert not packages & {"aiosmtpd", "cheroot", "pymap", "radicale", "wsgidav", "vobject"}


def test_its_bill_of_materials_has_every_package(environment: Path) -> None:
    bill = json.loads((environment / "share" / "sbom.cdx.json").read_text())
    assert (bill["bomFormat"], bill["specVersion"]) == ("CycloneDX", "1.5")
    listed = {(one["name"], one["version"]) for one in bill["components"]}
    there = {
        (re.sub(r"[-_.]+", "-", one.metadata["Name"]).lower(), one.version)
        for one in distributions(path=[str(path) for path in environment.glob("lib/python*/site-packages")])
    }
    assert there - listed == {("kogge", version("kogge"))}
    assert listed <= there
    assert len(listed) > 100
    assert all(one["licenses"] and one["purl"] for one in bill["components"])
    refs = {one["bom-ref"] for one in bill["components"]} | {bill["metadata"]["component"]["bom-ref"]}
    assert {ref for one in bill["dependencies"] for ref in [one["ref"], *one.get("dependsOn", [])]} <= refs


def test_its_list_of_licences_has_every_package(environment: Path) -> None:
    bill = json.loads((environment / "share" / "sbom.cdx.json").read_text())
    lines = (environment / "share" / "licences.txt").read_text().splitlines()
    told = dict(line.split(": ", 1) for line in lines)
    assert told.keys() == {f"{one['name']} {one['version']}" for one in bill["components"]}
    assert not [name for name, text in told.items() if text in ("", "not stated", "UNKNOWN")]


def test_it_carries_nothing_that_no_program_reads(environment: Path) -> None:
    left = [
        path
        for path in environment.glob("lib/python*/site-packages/*/**/*")
        if path.name in ("tests", "test") or path.suffix in (".pyi", ".pyx", ".pxd", ".po")
    ]
    assert not left


def test_what_is_copied_is_in_the_build_context(steps: str) -> None:
    """.dockerignore lets nothing in that it does not name."""
    lines = (ROOT / ".dockerignore").read_text().splitlines()
    assert lines[0] == "*"
    let_in = {line[1:] for line in lines if line.startswith("!")}
    copied = {
        name
        for line in steps.splitlines()
        if line.startswith("COPY") and "--from" not in line
        for name in line.split()[1:-1]
    }
    assert copied <= let_in


def test_its_health_check_and_its_command_work(environment: Path, steps: str, tmp_path: Path) -> None:
    alone = {"PATH": f"{environment / 'bin'}:/usr/bin:/bin", "HOME": str(tmp_path)}
    for found in re.findall(r"CMD \[(.+?)\]", steps):
        command = re.findall(r'"([^"]+)"', found)
        done = subprocess.run(command, cwd=tmp_path, env=alone, capture_output=True, check=False)
        assert done.returncode == 0, done.stderr
    assert len(re.findall(r"CMD \[", steps)) == 2


def test_what_installs_everything_is_known_by_its_hash() -> None:
    """uv takes everything else by the hashes of uv.lock."""
    for file in ("Dockerfile", "Makefile"):
        (install,) = re.findall(r"pip install (.+)$", (ROOT / file).read_text(), re.MULTILINE)
        assert "--require-hashes" in install
    assert re.search(
        r"^uv==\S+ \\\n +--hash=sha256:", (ROOT / "deploy/image/uv.txt").read_text(), re.MULTILINE
    )


def test_it_runs_as_nobody_in_particular_and_names_its_bases(steps: str) -> None:
    (user,) = re.findall(r"^USER (.+)$", steps, re.MULTILINE)
    assert re.fullmatch(r"[1-9]\d+:[1-9]\d+", user), "a cluster refuses a name"
    assert steps.index("USER ") < steps.index('CMD ["kogge", "--help"]')
    given = dict(re.findall(r"^ARG (\w+)=(\S+)$", steps, re.MULTILINE))
    bases = [given.get(one.strip("${}"), one) for one in re.findall(r"^FROM (\S+)", steps, re.MULTILINE)]
    assert bases
    assert all(":" in base and not base.endswith(":latest") for base in bases)
