"""Every file of model/codes is read as TOML reads it, and each entry names what there is."""

from __future__ import annotations

import tomllib
from itertools import chain
from pathlib import Path

import pytest

from engine.control.code_book import CODES
from engine.control.remedies import ENDS
from mappings.losses.severity import Class
from model.code_entries import HOME, Entries, Entry, entries_of, everyday_sentences
from model.kinds import Kind

ROOT = Path(__file__).parents[2]
FILES = sorted(path.stem for path in HOME.glob("*.toml") if path.stem != "everyday")
LOSSES = [f"losses_{kind}" for kind in Class]
LANGUAGES = {"en", "de", "fr"}


@pytest.mark.parametrize("name", FILES)
def test_an_entry_is_what_toml_reads(name: str) -> None:
    whole = tomllib.loads((HOME / f"{name}.toml").read_text(encoding="utf-8"))
    if name in LOSSES:
        whole = {f"{field}.{reason}": one for field, own in whole.items() for reason, one in own.items()}
    found = entries_of(name)
    assert {code: Entry(**one) for code, one in whole.items()} == dict(found)
    assert list(whole) == list(found), "in the order of the file"
    assert len(found) == len(whole) > 0


@pytest.mark.parametrize("name", FILES)
def test_an_entry_names_what_there_is(name: str) -> None:
    said = {one for section in everyday_sentences().values() for one in section}
    for code, one in entries_of(name).items():
        assert not one.then or one.then in ENDS, code
        assert not one.page or (ROOT / one.page).is_file(), code
        assert one.everyday in said | {"", "detail"}, code
        assert set(one.kinds) <= {*Kind, "any"}, code
        assert set(one.of) <= set(one.kinds), code
        for text in (one.meaning, one.do, *one.of.values()):
            assert set(text) in (set(), {"en"}, LANGUAGES), code


@pytest.mark.parametrize("name", ["rejection", "skips", *LOSSES])
def test_what_a_mapping_declares_has_a_kind(name: str) -> None:
    assert {code for code, one in entries_of(name).items() if not one.kinds} == set()


def test_no_code_stands_in_two_areas() -> None:
    codes = list(chain.from_iterable(CODES.values()))
    assert len(set(codes)) == len(codes)


def test_nothing_is_read_before_it_is_asked_for() -> None:
    entries = Entries("no-such-file", key=str)
    with pytest.raises(FileNotFoundError):
        len(entries)


def test_a_wrong_word_in_an_entry_is_an_error(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "odd.toml").write_text('[good]\nwhy = "So."\n[bad]\nwy = "So."\n')
    monkeypatch.setattr("model.code_entries.HOME", tmp_path)
    found = entries_of("odd")
    assert found["good"].why == "So."
    assert "bad" in found
    with pytest.raises(TypeError, match="wy"):
        found["bad"]
