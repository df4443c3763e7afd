"""Which configuration a run gets: the process decides, by name."""

from __future__ import annotations

from pathlib import Path

import pytest
from scripted import SIDES

from engine.config.registry import chosen, listed, offered
from flows.cutover import CutoverParameters
from flows.janitor import JanitorParameters
from flows.process.parameters import BatchParameters, VerifyParameters, WaveParameters
from flows.rollback import RollbackParameters
from model.errors import Misconfigured


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("kogge", "cloud", "elsewhere"):
        (tmp_path / f"{name}.toml").write_text(SIDES)
    monkeypatch.delenv("KOGGE_CONFIG", raising=False)
    monkeypatch.setenv("KOGGE_CONFIGS", listed([tmp_path / "kogge.toml", tmp_path / "cloud.toml"]))
    return tmp_path


def test_an_empty_name_means_the_first(place: Path) -> None:
    assert chosen("").path == place / "kogge.toml"
    assert chosen("cloud").path == place / "cloud.toml"


@pytest.mark.parametrize("name", ["elsewhere", "elsewhere.toml", "../elsewhere", "kogge.toml"])
def test_what_is_not_offered_is_refused(place: Path, name: str) -> None:
    for wanted in (name, str(place / name)):
        with pytest.raises(Misconfigured, match="unknown"):
            chosen(wanted)


def test_one_file_is_enough(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KOGGE_CONFIGS", "")
    monkeypatch.setenv("KOGGE_CONFIG", str(place / "elsewhere.toml"))
    assert chosen("").path == place / "elsewhere.toml"
    monkeypatch.delenv("KOGGE_CONFIG")
    with pytest.raises(Misconfigured, match="kogge worker"):
        offered()


def test_two_files_of_one_name_are_refused(place: Path) -> None:
    (place / "other").mkdir()
    with pytest.raises(Misconfigured, match="two files are called kogge"):
        listed([place / "kogge.toml", place / "other" / "kogge.toml"])


@pytest.mark.parametrize(
    "form",
    [
        WaveParameters,
        VerifyParameters,
        BatchParameters,
        CutoverParameters,
        RollbackParameters,
        JanitorParameters,
    ],
)
def test_no_form_asks_for_a_file(form: type[WaveParameters]) -> None:
    properties = form.model_json_schema()["properties"]
    assert "config" not in properties
    assert "Path" not in str(properties)
    assert [one["position"] for one in properties.values()] == list(range(len(properties)))
    assert next(iter(properties)) in ("wave", "minutes")
    assert form.model_config["extra"] == "forbid"
