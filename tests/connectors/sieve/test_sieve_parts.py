"""Scripts are taken apart and put together again, byte for byte."""

from __future__ import annotations

import re
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sieve_desk import rule

from connectors.sieve.dialects.roundcube import ROUNDCUBE, is_understood
from connectors.sieve.dialects.table import DIALECTS
from connectors.sieve.merged import Merged, Placed, taken_apart
from connectors.sieve.record import Kept, Record, Took, digest_of, record_of
from connectors.sieve.script import COMMAND, REQUIRE, ends_before, parts_of, required

WHOLE = """# a comment
/* another
 * one; { */ require "fileinto";
REQUIRE ["copy", "a\\"b"] ;
if allof(header :contains ["a", "b"] "}", not size :over 10K) { # inside
    fileinto :copy "x;y";
    vacation :days 7 text: # why
I am away;
..dotted }
.
;
} elsif true { keep; } else { stop; }
redirect "a@b.example";
stop;
"""
NAMES = st.text(st.characters(exclude_characters="\r\n", exclude_categories=["Cs", "Cc"]), max_size=20)


def test_a_script_is_the_sum_of_its_parts() -> None:
    for text in (WHOLE, WHOLE.replace("\n", "\r\n"), "", "keep;", "# only a comment"):
        assert "".join(part.text for part in parts_of(text)) == text
    parts = parts_of(WHOLE)
    assert required(parts) == {"fileinto", "copy", 'a"b'}
    words = [part.word for part in parts if part.kind in (COMMAND, REQUIRE)]
    assert words == ["require", "require", "if", "elsif", "else", "redirect", "stop"]
    assert ends_before(parts)
    assert not ends_before(parts_of("if true { stop; }"))


@pytest.mark.parametrize(
    "text",
    [
        "keep",
        "if true {",
        "if true { keep; }}",
        "if (true] { keep; }",
        '"x";',
        ":tag;",
        "12;",
        "/* open",
        'fileinto "open',
        "vacation text:\nno end\n",
        "keep; $",
    ],
)
def test_what_is_not_closed_is_no_script(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        parts_of(text)


def test_a_script_made_to_be_slow_is_not() -> None:
    began = time.monotonic()
    for text in ("/*" * 200_000, '"' + "\\" * 400_001, "text:\n" + ".x\n" * 200_000, "a text:" * 50_000):
        with pytest.raises(ValueError, match=r"."):
            parts_of("x " + text)
    assert time.monotonic() - began < 5


@given(st.text(max_size=60), st.booleans(), st.lists(NAMES, max_size=3), st.sampled_from(sorted(DIALECTS)))
@settings(max_examples=200, deadline=None)
def test_a_persons_text_comes_out_as_it_went_in(own: str, crlf: bool, names: list[str], dialect: str) -> None:
    own = own.replace("\n", "\r\n") if crlf else own
    took = Took(digest_of(own.encode()), 'own "x"\\', "into\n")
    lines = DIALECTS[dialect].lines  # type: ignore[index]
    rules = tuple(
        Placed(f"{number:032x}", lines(rule(name or "x", number), number))
        for number, name in enumerate(names)
    )
    merged = Merged(own, took, rules, frozenset({"copy"}))
    again = taken_apart(merged.script())
    assert (again.own, again.took, again.requires) == (own, took, {"copy"})
    assert [one.lines for one in again.rules] == [one.lines for one in rules]
    assert not any(one.touched for one in again.rules)
    assert again.script() == merged.script()


@given(st.lists(st.tuples(NAMES, st.booleans(), st.lists(NAMES, max_size=2)), max_size=4))
@settings(max_examples=100, deadline=None)
def test_a_record_comes_back(given_rules: list[tuple[str, bool, list[str]]]) -> None:
    rules = {
        f"{number:032x}": Kept(
            f"{number:032x}", rule(name, number, active=active, notes=tuple(notes)).text(), active
        )
        for number, (name, active, notes) in enumerate(given_rules)
    }
    record = Record(rules, Took("0" * 32, None, "x"), exists=True)
    assert record_of(record.script()) == record


@pytest.mark.parametrize("name", DIALECTS)
def test_a_name_never_acts(name: str) -> None:
    """Whatever a rule is called, its line stays a comment, and what is off stays off."""
    odd = rule("*/ keep; ] | # kogge end", notes=("if true { keep; }",), active=False)
    dialect = DIALECTS[name]  # type: ignore[index]
    text = "".join(f"{line}\n" for line in dialect.lines(odd, 3))
    left = "".join(part.text for part in parts_of(text) if part.kind == COMMAND)
    assert not left or re.match(r"if false #", left)
    acting = "".join(f"{line}\n" for line in dialect.lines(rule("*/ keep;"), 3))
    assert [part.word for part in parts_of(acting) if part.kind == COMMAND] == ["if"]


@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_what_a_client_moves_around_the_rules_is_the_persons(end: str) -> None:
    lines = ("# rule: x", "if true", "{", "}")
    took = Took(digest_of(b"keep;"), "a", "a")
    whole = Merged("keep;", took, (Placed("0" * 32, lines),), frozenset({"copy"})).script()
    moved = f"# first\n{whole}stop;\n# last".replace("\r\n", "\n").replace("\n", end)
    again = taken_apart(moved)
    assert again.script() == moved
    assert again.above == f'# first{end}require ["copy"]; # kogge{end}keep;{end}'
    assert again.below == f"stop;{end}# last"
    assert [(one.lines, one.touched) for one in again.rules] == [(lines, False)]
    assert taken_apart(whole.removesuffix("\r\n")) == taken_apart(whole)


def test_marks_that_do_not_match_are_noticed() -> None:
    whole = Merged("keep;\n", Took("0" * 32, None, "x"), ()).script()
    for text in (
        whole + whole,
        whole.replace("# kogge end", ""),
        "# kogge end\n",
        whole.replace("# kogge end", "x;\n# kogge end"),
    ):
        with pytest.raises(ValueError, match=r"."):
            taken_apart(text)


@pytest.mark.parametrize(
    ("test", "actions", "understood"),
    [
        ('header :contains "Subject" "a, (b)"', ('fileinto :copy "x";', "stop;"), True),
        ('allof(header :is ["a", "b"] "c", not size :over 10K)', ('addflag "\\\\Seen";', "keep;"), True),
        ('anyof(currentdate :value "ge" "date" "2026-01-01", true)', ('vacation :days 7 "x";',), True),
        ('address :count "eq" :comparator "i;ascii-numeric" ["to", "cc"] "1"', ("discard;",), True),
        ('allof(true, anyof(header :is "a" "b", true))', ("keep;",), False),
        ('allof(true, not anyof(header :is "a" "b", true))', ("discard;",), False),
        ("not allof(true, true)", ("keep;",), False),
        ('header :mime :anychild :contains "Content-Type" "x"', ("keep;",), False),
        ('mailboxexists "x"', ("keep;",), False),
        ("true", ('fileinto :create "x";',), False),
        ("true", ('addheader "X" "y";',), False),
    ],
)
def test_roundcube_gets_what_it_understands(test: str, actions: tuple[str, ...], understood: bool) -> None:
    one = rule(test=test, actions=actions)
    assert is_understood(one) is understood
    text = "".join(f"{line}\n" for line in ROUNDCUBE.lines(one, 1))
    assert [part.word for part in parts_of(text) if part.kind == COMMAND] == ["if"]
    assert text.count("if ") == (1 if understood else 2)
    assert ("# rule:[" in text) is understood
    off = "".join(f"{line}\n" for line in ROUNDCUBE.lines(rule(test=test, actions=actions, active=False), 1))
    assert ("if false #" in off) is understood
