"""Check that a rule is read back as it was written, and that no other text is taken for one."""

from __future__ import annotations

from dataclasses import replace

import pytest

from model.sieve_rule import SieveRule, quoted, rule_of

RULE = SieveRule(
    'Rechnungen, "neu"',
    7,
    False,
    'allof (header :contains "Subject" "Rechnung", not address :is "from" "a@b.example")',
    ('addflag "\\\\Seen";', 'fileinto "INBOX/Rechnungen";', "stop;"),
    frozenset({"fileinto", "imap4flags"}),
    ("the sound is not said",),
)


@pytest.mark.parametrize(
    "rule", [RULE, replace(RULE, active=True, notes=(), extensions=frozenset()), replace(RULE, actions=())]
)
def test_what_was_written_is_read_back(rule: SieveRule) -> None:
    assert rule_of(rule.text()) == rule


@pytest.mark.parametrize("old", ["# kogge-rule 1", "# place: 7", "# active: no", "{\n", "\n}\n", "if "])
def test_another_text_is_no_rule(old: str) -> None:
    with pytest.raises(ValueError, match=r"rule|line|written"):
        rule_of(RULE.text().replace(old, "x", 1))


def test_quotes_and_backslashes_are_escaped() -> None:
    assert quoted('a"b\\c') == '"a\\"b\\\\c"'
