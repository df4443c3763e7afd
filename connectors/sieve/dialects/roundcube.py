"""Write rules as Roundcube's plugin managesieve does: `# rule:[Name]`; one that is off is `if false # test`.

Whenever somebody saves anything, it writes all rules anew from what it understood. It knows one level of
`allof` or `anyof`, and takes deeper tests for tests of that level: such a rule would act on other mail than
before. So a rule that it does not understand stands in an `if true` of its own. It acts; Roundcube does not
show it, and leaves it out when it saves.

Source:
    roundcubemail, plugins/managesieve/lib/Roundcube/rcube_sieve_script.php: as_text, _parse_text,
    _tokenize_rule and _parse_actions (read in source, not measured)
"""

from __future__ import annotations

import re
from typing import Final

from connectors.sieve.dialects import plain
from connectors.sieve.dialects.dialect import Dialect, block, notes, one
from model.sieve_rule import SieveRule

TESTS: Final = frozenset(
    {"header", "address", "envelope", "size", "body", "date", "currentdate", "exists", "true", "false"}
)
TAGS: Final = frozenset(
    {
        *(":is", ":contains", ":matches", ":regex", ":count", ":value", ":comparator", ":over", ":under"),
        *(":localpart", ":domain", ":all", ":text", ":raw", ":zone", ":originalzone"),
    }
)
ACTIONS: Final = {
    **dict.fromkeys(("discard", "keep", "stop", "addflag", "setflag", "removeflag"), frozenset[str]()),
    **dict.fromkeys(("fileinto", "redirect"), frozenset({":copy"})),
    "vacation": frozenset({":mime", ":seconds", ":days", ":addresses", ":subject", ":handle", ":from"}),
}
"""The tests and actions that it knows, with their tags; newer versions know more."""
_STRING = re.compile(r'"(?:[^"\\]++|\\.)*+(?:"|\\?\Z)', re.DOTALL)
"""A string; one that nobody closes goes to the end, so that no other begins within it."""
_LIST = re.compile(r"\[[^\[\]]*\]")
_JOINED = re.compile(r"(?:allof|anyof)\s*\((.*)\)", re.DOTALL)


def lines(rule: SieveRule, number: int) -> tuple[str, ...]:
    """Return the lines of a rule."""
    if not is_understood(rule):
        return _apart(rule) if rule.active else plain.lines(rule, number)
    test, *rest = block(rule)
    condition = test if rule.active else f"if false # {rule.test}"
    return (*notes(rule), f"# rule:[{rule.name}]", condition, *rest)


def is_understood(rule: SieveRule) -> bool:
    """Return True if Roundcube writes a rule as it reads it."""
    test = _bare(rule.test)
    joined = _JOINED.fullmatch(test)
    tests = [part.split() for part in (joined[1] if joined else test).split(",")]
    return all(map(_knows_test, tests)) and all(map(_knows_action, rule.actions))


def _apart(rule: SieveRule) -> tuple[str, ...]:
    """Return the lines of a rule that it ignores: it does not read an `if` within an `if`."""
    inner = (f"\t{line}" for line in block(rule))
    return (f"# rule: {rule.name}", *notes(rule), "if true", "{", *inner, "}")


def _bare(text: str) -> str:
    """Return a text without the content of strings and lists."""
    return _LIST.sub('""', _STRING.sub('""', text))


def _knows_test(words: list[str]) -> bool:
    if words[:1] == ["not"]:
        words = words[1:]
    return bool(words) and words[0] in TESTS and _has_only(words[1:], TAGS)


def _knows_action(action: str) -> bool:
    words = _bare(action).rstrip("; ").split()
    return bool(words) and words[0] in ACTIONS and _has_only(words[1:], ACTIONS[words[0]])


def _has_only(arguments: list[str], tags: frozenset[str]) -> bool:
    """Return True if the arguments are strings, numbers and these tags."""
    return all(
        word in tags if word.startswith(":") else re.fullmatch(r'""|\d+[KMG]?', word) for word in arguments
    )


ROUNDCUBE = Dialect(script="roundcube", fixed=False, lines=lines, first=one)
