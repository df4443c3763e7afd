"""An approval of rules that send mail out names each rule so that only who has the key can tell which."""

from __future__ import annotations

import hashlib

import pytest

from engine.approvals.sending_rules import AllowedRules, _name

RULE = hashlib.sha256(b"redirect").digest()
KEY = b"k" * 32
NAMES = frozenset({_name(KEY, "m-1", RULE)})


@pytest.mark.parametrize(
    ("mailbox", "key", "digest", "found"),
    [
        ("m-1", KEY, RULE, True),
        ("m-2", KEY, RULE, False),
        ("m-1", b"x" * 32, RULE, False),
        ("m-1", KEY, hashlib.sha256(b"redirect to another").digest(), False),
        ("m-1", KEY, None, False),
    ],
    ids=["the rule", "of another mailbox", "with another key", "another rule", "not written yet"],
)
def test_a_rule_is_found_by_what_it_says(mailbox: str, key: bytes, digest: bytes | None, found: bool) -> None:
    assert (digest in AllowedRules(mailbox, key, NAMES)) is found


def test_a_name_tells_nothing_of_the_rule() -> None:
    (name,) = NAMES
    assert len(bytes.fromhex(name)) == 16
    assert name not in RULE.hex()
