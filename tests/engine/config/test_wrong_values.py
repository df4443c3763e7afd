"""What is said about a wrong value or an unknown name, in Kogge's own words."""

from __future__ import annotations

import typing
from collections.abc import Iterator
from datetime import date, datetime, time
from pathlib import Path

import pytest
from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from connectors.catalogue.connector import named
from connectors.catalogue.entries import connectors
from engine.config.file_errors import NAMED_MOST, unknown
from engine.config.load import Config, load
from engine.config.toml_errors import OURS, explained
from model.errors import Misconfigured

WRONG = (
    *("", "x", "\x00", "x" * 600, -1, 0, 1.5, -1e300, 1e300, 10**30, float("nan"), float("inf"), True),
    *(date(2026, 1, 1), datetime(2026, 1, 1, 1), time(1)),
    *([], ["x"], [1], ["a", "a"], [{}], {}, {"x": 1}, {"a": {}}, {"a": "b"}, {"kind": "x"}),
)
"""Values of every type that TOML has."""


def models(model: type[BaseModel], seen: list[type[BaseModel]]) -> list[type[BaseModel]]:
    """Return a model and every other one within it."""
    if model not in seen:
        seen.append(model)
        waiting = [field.annotation for field in model.model_fields.values()]
        while waiting:
            one = waiting.pop()
            if isinstance(one, type) and issubclass(one, BaseModel):
                models(one, seen)
            waiting += typing.get_args(one)
    return seen


def refusals() -> Iterator[tuple[ErrorDetails, str]]:
    """Yield each finding of pydantic about a wrong value in any field, and what is said about it."""
    every = models(Config, [])
    for one in connectors().values():
        models(named(one.settings), every)
    for model in every:
        for field in model.model_fields:
            for value in WRONG:
                try:
                    model.model_validate({field: value})
                except ValidationError as error:
                    said = explained(error, "", model, {field: value}, lambda *_: None)
                    if len(said) == error.error_count():
                        yield from zip(error.errors(), (one.text for one in said), strict=True)


def test_no_words_of_a_library_reach_a_user() -> None:
    found = {(one["type"], one["msg"], said) for one, said in refusals() if one["type"] not in OURS}
    kinds = {kind for kind, _, _ in found}
    assert {"greater_than", "string_too_long", "tuple_type", "path_type", "bool_parsing"} <= kinds
    for kind, words, said in found:
        assert words.lower() not in said.lower(), kind
        assert "cannot stand here" not in said, kind
        assert not {"input", "valid", "integer", "string", "tuple", "dictionary"} & set(said.split()), kind


LINES = {
    "[run]\nbatch = 501": "kogge.toml:2: run.batch: give 500 or less",
    "[verify]\nsample_percent = 0": "kogge.toml:2: verify.sample_percent: give a number above 0",
    '[run]\ncanary = "perhaps"': "kogge.toml:2: run.canary: give true or false",
    '[plan]\nfirst = "soon"': "kogge.toml:2: plan.first: give a date like 2026-03-31",
    "[gate]\ndeny = 3": "kogge.toml:2: gate.deny: give the name of a file or a folder in quotes",
    f'[report]\ncontact = "{"x" * 501}"': "kogge.toml:2: report.contact: give 500 characters or fewer",
    "[[hooks.freeze]]\ncommand = []": "kogge.toml:2: hooks.freeze.0.command: must not be empty",
    "[zzz]\nx = 1": "kogge.toml:1: zzz: unknown; there are ",
}


@pytest.mark.parametrize("line", LINES)
def test_a_wrong_value_is_answered_with_what_to_give(tmp_path: Path, line: str) -> None:
    path = tmp_path / "kogge.toml"
    path.write_text(f"{line}\n")
    with pytest.raises(Misconfigured) as caught:
        load(path)
    assert LINES[line] in str(caught.value)


HOOKS = """\
[[hooks.freeze]]
name = "one"
url = "https://hooks.example"
body = 3
[[hooks.freeze]]
nmae = "two"
url = "https://hooks.example"
headers = { A = 3, B = { evn = "X" } }
body = "{nobody}"
[hooks.freeze.undo]
url = "hooks.example"
"""
ABOUT_HOOKS = (
    "kogge.toml:4: hooks.freeze.0.body: give a text in quotes",
    "kogge.toml:5: hooks.freeze.1.name: is missing",
    "kogge.toml:6: hooks.freeze.1.nmae: unknown; did you mean name?",
    "kogge.toml:8: hooks.freeze.1.headers.A: give a text in quotes",
    "kogge.toml:8: hooks.freeze.1.headers.B.evn: unknown; did you mean env?",
    "kogge.toml:9: hooks.freeze.1.body: only {mailbox}, {source}, {target} and {wave} are replaced",
    "kogge.toml:11: hooks.freeze.1.undo.url: not a URL: it starts with https:// and names a host",
)


def test_a_fault_in_a_list_or_of_several_types_is_told_once_at_its_line(tmp_path: Path) -> None:
    path = tmp_path / "kogge.toml"
    path.write_text(HOOKS)
    with pytest.raises(Misconfigured) as caught:
        load(path)
    assert tuple(line for line in str(caught.value).splitlines() if "hooks" in line) == ABOUT_HOOKS


def test_an_unknown_table_is_told_where_all_are_listed(tmp_path: Path) -> None:
    path = tmp_path / "kogge.toml"
    path.write_text("[zzz]\nx = 1\n")
    with pytest.raises(Misconfigured) as caught:
        load(path)
    (line,) = [one for one in str(caught.value).splitlines() if "zzz" in one]
    assert line.endswith(" more; the page Configuration of the documentation lists all")
    assert line.count(",") < NAMED_MOST


@pytest.mark.parametrize(
    ("names", "said"),
    [
        ((), "unknown; there is none yet"),
        (("pilot",), "unknown; there is only pilot"),
        (("b", "a"), "unknown; give a or b"),
        (("c", "b", "a"), "unknown; give a, b or c"),
        (("zzy",), "unknown; did you mean zzy?"),
        (tuple("abcdefghij"), "unknown; there are 10: a, b, c, d, e, f, g, h and 2 more; x has all"),
    ],
)
def test_an_unknown_name_is_answered_with_those_there_are(names: tuple[str, ...], said: str) -> None:
    assert unknown("zzz", names, "x has all") == said
