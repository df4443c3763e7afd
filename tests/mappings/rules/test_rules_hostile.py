"""Nothing in a rule breaks out of the text that it becomes, whatever the script requires around it."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from email.header import Header
from time import process_time

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rule_records import OWNER, mailbox
from servers.sieve_runs import EXTENSIONS, Outcome, SieveRuns, available
from services import needed

from mappings.rules.fit_rule import FittedRule, RuleContext, fit_rule, fit_rules
from mappings.rules.rule import Act, Action, Condition, Predicate, Rule
from mappings.rules.sieve_tests import People
from mappings.rules.sieve_text import SPELLINGS, TEXT, sayable, variants
from model.sieve_limits import SieveLimits
from model.sieve_rule import rule_of

SAYABLE = [
    '"; discard; #',
    '"] { discard; } if header :contains "x" ["',
    "\\",
    '\\"',
    "a\\\\",
    "*/ discard; /*",
    "# discard;",
    "text:",
    "$", "{hex:22}", "$ {x}", "%{x}", "*", "?x?",
    "#<!--> | UniqueId:1",
    "Straße 😀 Łódź",
    "\u200bx\u202edercsid",
    "x" * TEXT,
]  # fmt: skip
UNSAYABLE = [
    "",
    'x"\n; discard;',
    "x\r\n.\r\ndiscard;",
    "x\rdiscard;",
    "x\tdiscard;",
    "\0",
    "x\x7f",
    "x\x85discard;",
    "x\u2028discard;",
    "x\ud800",
    "x\ufdd0",
    "x\U0001ffff",
    "${hex:22}; discard;",
    "${unicode:22}",
    "${x}",
    "$${x}",
    "x" * (TEXT + 1),
    "ä" * 9,
    "🦄${1}",
]
MOVE = (Action(Act.MOVE, ("F-1",)),)
MOVED, INBOX = Outcome(("Archiv/Grün",)), Outcome(("INBOX",))
LETTERS = "aÄäÖöÜüßẞ\u03c3\u03c2\u03a3\u0130\u0131éÉ\u01c5\u041a\u4e2d\U0001f600"
STRING = re.compile(r'"(?:[^"\\]|\\.)*"')


@pytest.fixture(scope="module")
def runs() -> Iterator[SieveRuns]:
    needed(available(), "Pigeonhole (sieve-test) is not installed")
    made = SieveRuns()
    yield made
    made.close()


def asked(text: str, predicate: Predicate = Predicate.SUBJECT_HAS, name: str = "R") -> FittedRule:
    rule = Rule(name, 1, True, (Condition(predicate, (text,)),), (), MOVE)
    return fit_rule(rule, mailbox())


def mail(subject: str) -> str:
    encoded = Header(subject, "utf-8", maxlinelen=70).encode(linesep="\n")
    return f"From: kurt@far.example\nTo: anna@new.example\nSubject: {encoded}\n\nText\n"


def with_everything(script: str) -> str:
    """The same rule in a script that requires all that a server has, in front of it."""
    return f"require {json.dumps(sorted(EXTENSIONS))};\n{script}"


@pytest.mark.parametrize("text", SAYABLE)
def test_a_text_means_itself_and_nothing_else(runs: SieveRuns, text: str) -> None:
    fitted = asked(text)
    assert (fitted.rule.active, fitted.losses) == (True, ())
    script = with_everything(fitted.rule.text())
    assert runs.outcome(script, mail(f"a {text} b")) == MOVED
    assert runs.outcome(script, mail("discard")) == INBOX


@pytest.mark.parametrize("text", UNSAYABLE)
@pytest.mark.parametrize(
    "predicate",
    [Predicate.SUBJECT_HAS, Predicate.BODY_HAS, Predicate.SENDER_HAS, Predicate.FROM, Predicate.HEADER_HAS],
)
def test_a_text_that_cannot_be_said_switches_the_rule_off(text: str, predicate: Predicate) -> None:
    fitted = asked(text, predicate)
    assert (fitted.rule.active, fitted.rule.test) == (False, "false")
    assert [loss.reason for loss in fitted.losses] == ["condition-not-said"]
    assert text == "" or text not in fitted.rule.text()


@pytest.mark.parametrize("text", [*SAYABLE, *UNSAYABLE])
def test_a_name_stays_in_its_line(runs: SieveRuns, text: str) -> None:
    fitted = asked("x", name=text)
    lines = fitted.rule.text().splitlines()
    assert len(lines) == len(asked("x").rule.text().splitlines())
    assert rule_of(fitted.rule.text()) == fitted.rule
    assert len(fitted.rule.name) <= 200
    assert runs.outcome(with_everything(fitted.rule.text()), mail("x")) == MOVED


@pytest.mark.parametrize("text", [*SAYABLE, *UNSAYABLE])
def test_the_name_of_a_folder_is_said_or_the_mail_stays(runs: SieveRuns, text: str) -> None:
    where = RuleContext({"F-1": text}, People(OWNER), SieveLimits(EXTENSIONS))
    fitted = fit_rule(Rule("R", 1, True, (Condition(Predicate.SUBJECT_HAS, ("x",)),), (), MOVE), where)
    assert rule_of(fitted.rule.text()) == fitted.rule
    assert fitted.rule.active == sayable(text)
    if not fitted.rule.active:
        assert fitted.rule.actions == ("keep;",)
        assert runs.outcome(fitted.rule.text(), mail("x")) == INBOX
    else:
        assert STRING.sub("S", fitted.rule.actions[0]) == "fileinto S;"
        assert len(runs.outcome(with_everything(fitted.rule.text()), mail("x")).folders) == 1


@pytest.mark.parametrize("text", [*SAYABLE, *UNSAYABLE])
def test_categories_and_addresses_are_said_as_what_they_are(runs: SieveRuns, text: str) -> None:
    actions = (Action(Act.CATEGORIES, (f"c{text}",)), Action(Act.REDIRECT, (f"{text}@new.example",)))
    fitted = fit_rule(Rule("R", 1, True, (), (), actions), mailbox())
    for action in fitted.rule.actions:
        assert STRING.sub("S", action) in ("addflag S;", "redirect :copy S;")
    outcome = runs.outcome(with_everything(fitted.rule.text()), mail("x"))
    assert outcome.folders == ("INBOX",)
    assert outcome.redirects in ((), (f"{text}@new.example",))


@given(st.text(max_size=60), st.text(max_size=60))
def test_whatever_a_text_holds_only_its_strings_hold_it(text: str, name: str) -> None:
    fitted = asked(text, name=name)
    assert rule_of(fitted.rule.text()) == fitted.rule
    said = fitted.rule.test
    if fitted.rule.active:
        plain = re.sub(r"\[S(, S)*\]", "S", STRING.sub("S", said))
        assert plain == "header :contains S S"
        strings = [re.sub(r"\\(.)", r"\1", one[1:-1]) for one in STRING.findall(said)]
        assert text in strings
    else:
        assert said == "false"


@given(st.text(alphabet=LETTERS, max_size=5))
def test_a_text_is_said_in_all_its_cases(text: str) -> None:
    found = variants([text]) if text else []
    assert found is not None
    assert len(found) <= SPELLINGS
    for way in (text.upper(), text.lower()) if found else ():
        if len(way) == len(text) and "ß" not in text.lower() and not set("\u0130\u0131\u01c5") & set(text):
            assert any(re.fullmatch(re.escape(one), way, re.ASCII | re.IGNORECASE) for one in found), way


def test_too_many_spellings_are_none() -> None:
    assert variants(["ä" * 8]) is not None
    assert variants(["ä" * 8, "x"]) is None
    assert variants(["中" * 500]) == ["中" * 500]
    assert variants(f"x{n}" for n in range(SPELLINGS + 1)) is None


def test_a_rule_that_no_script_holds_does_nothing_and_is_named() -> None:
    many = Condition(Predicate.SUBJECT_HAS, tuple(f"{n:03}" * 300 for n in range(200)))
    rule = Rule("R", 1, True, (many,), (), (*MOVE, Action(Act.STOP)))
    assert fit_rule(rule, mailbox(script_bytes=1 << 20)).rule.active
    fitted = fit_rule(rule, mailbox(script_bytes=32_000))
    assert (fitted.rule.active, fitted.rule.test, fitted.rule.actions) == (False, "false", ("keep;",))
    assert [loss.reason for loss in fitted.losses] == ["too-long"]
    assert fitted.may_stop
    assert len(fitted.rule.text()) < 1_000


def test_three_thousand_rules_are_fitted_and_compiled(runs: SieveRuns) -> None:
    rules = [
        Rule(f'"{n}*/', n, True, (Condition(Predicate.SUBJECT_HAS, (f"«Ü{n}»",)),), (), MOVE)
        for n in range(3_000)
    ]
    began = process_time()
    fitted = fit_rules(reversed(rules), mailbox())
    assert process_time() - began < 20, "seconds; it takes one"
    assert [one.rule.place for one in fitted] == list(range(3_000))
    each = "".join(f"if {one.rule.test}\n{{ {' '.join(one.rule.actions)} }}\n" for one in fitted)
    script = f'require "fileinto";\n{each}'
    assert runs.outcome(script, mail("«ü2999»")) == MOVED
    assert runs.outcome(script, mail("«ü3000»")) == INBOX


def test_a_field_of_any_name_compiles(runs: SieveRuns) -> None:
    name = "".join(chr(code) for code in range(33, 127) if chr(code) not in ":${}")
    for text in (f"{name}: {name}", f"{name}:", "X: " + "?*\\" * 9):
        fitted = asked(text, Predicate.HEADER_HAS)
        assert fitted.rule.active
        assert runs.outcome(with_everything(fitted.rule.text()), mail("x")) == INBOX
        found = f"{text} {name}" if text.endswith(":") else text
        assert runs.outcome(fitted.rule.text(), f"{found}\n{mail('x')}") == MOVED
