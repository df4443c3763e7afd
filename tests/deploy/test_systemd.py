"""deploy/systemd: the units as systemd reads them, and their commands and settings beside those of
docker-compose.yml. tests/stack starts them."""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from services import needed

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "deploy" / "systemd"
UNITS = sorted(FOLDER.glob("*.service"))
COMPOSE = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"]
GUIDE = (ROOT / "docs" / "many-workers.md").read_text()
SERVICES = {
    "prefect-server": "api1",
    "prefect-services": "services",
    "kogge-watch": "watch",
    "kogge-worker@": "worker",
}
MOST_EXPOSED = 25
"""Of 100, as `systemd-analyze security` counts."""
each = pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.name)


def values(unit: Path, key: str) -> list[str]:
    return re.findall(rf"^{key}=(.*)$", unit.read_text(), re.MULTILINE)


def environment(unit: Path) -> dict[str, str]:
    return dict(one.split("=", 1) for line in values(unit, "Environment") for one in shlex.split(line))


def analyze(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    needed(shutil.which("systemd-analyze") is not None, "systemd-analyze is not installed")
    command = ["systemd-analyze", "--no-pager", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)


def placed(unit: Path, folder: Path, text: str) -> Path:
    """A copy whose programs are those of this project."""
    made = folder / unit.name
    made.write_text(
        text.replace("/opt/kogge/.venv", sys.prefix).replace("/opt/kogge/deploy", str(ROOT / "deploy"))
    )
    return made


@each
def test_systemd_understands_it(unit: Path, tmp_path: Path) -> None:
    for timer in FOLDER.glob(f"{unit.stem}*.timer"):
        placed(timer, tmp_path, timer.read_text())
    done = analyze("verify", "--man=no", "--recursive-errors=no", placed(unit, tmp_path, unit.read_text()))
    assert (done.returncode, done.stderr) == (0, "")


def test_a_wrong_word_would_be_noticed(tmp_path: Path) -> None:
    unit = UNITS[0]
    wrong = unit.read_text().replace("ProtectHome=", "ProtectHomes=")
    done = analyze("verify", "--man=no", "--recursive-errors=no", placed(unit, tmp_path, wrong))
    assert "ProtectHomes" in done.stderr


@each
def test_it_has_few_rights(unit: Path, tmp_path: Path) -> None:
    made = placed(unit, tmp_path, unit.read_text())
    done = analyze("security", "--offline=true", f"--threshold={MOST_EXPOSED}", made)
    assert done.returncode == 0, done.stdout[-500:]


@pytest.mark.parametrize(("name", "service"), SERVICES.items())
def test_its_command_and_settings_are_those_of_compose(name: str, service: str) -> None:
    unit = FOLDER / f"{name}.service"
    (start,) = values(unit, "ExecStart")
    command = [one for one in shlex.split(start) if not one.endswith("/with-secrets")]
    compose = [one for one in COMPOSE[service]["command"] if one != "--with-healthcheck"]
    named = command.index("--name") if "--name" in command else len(command)
    assert [Path(command[0]).name, *command[1:named], *command[named + 2 :]] == compose
    told = COMPOSE[service]["environment"]
    for key, value in environment(unit).items():
        assert key in told
        assert told[key] == value or value.startswith(("/var/lib/", "/etc/kogge/", "%d/")), key
    stop = COMPOSE[service].get("stop_grace_period", "60s")
    assert values(unit, "TimeoutStopSec") == [stop.removesuffix("s")]


def test_a_service_of_prefect_that_is_gone_is_noticed_as_in_compose() -> None:
    (watched,) = [one for one in UNITS if one.name == "prefect-services.service"]
    (wanted,) = values(watched, "Wants")
    (timer,) = [FOLDER / one for one in wanted.split() if one.endswith(".timer")]
    assert values(timer, "PartOf") == [watched.name]
    (start,) = values(timer.with_suffix(".service"), "ExecStart")
    health = COMPOSE[SERVICES[watched.stem]]["healthcheck"]["test"]
    (program,) = [Path(one).name for one in health if "check" in one]
    assert f"/deploy/{program} " in start
    assert watched.name in start


@each
def test_it_has_the_variables_that_its_configuration_names(unit: Path) -> None:
    if "KOGGE_CONFIG" in environment(unit):
        assert "-/etc/kogge/kogge.env" in values(unit, "EnvironmentFile")


@each
def test_the_guide_names_it_and_what_it_reads(unit: Path) -> None:
    assert unit.name.replace("@.service", "@1") in GUIDE or unit.stem in GUIDE
    files = [one.lstrip("-") for one in values(unit, "EnvironmentFile")]
    files += [one.partition(":")[2] for one in values(unit, "LoadCredential")]
    files += [value for key, value in environment(unit).items() if key == "KOGGE_CONFIG"]
    for file in files:
        assert file in GUIDE
