"""Write the tables of inbox rules in docs/fidelity.md: what conditions and actions become in Sieve."""

from __future__ import annotations

from collections.abc import Mapping

from handbook.score_tables import table_rows
from mappings.rules.fit_rule import FittedRule, RuleContext, fit_rule
from mappings.rules.rule import YES, Act, Action, Condition, Predicate, Rule
from mappings.rules.sieve_tests import SAID, People, sieve_test
from model.sieve_limits import SieveLimits

_PEOPLE = People(frozenset({"me@example.org"}))
_ALL = SieveLimits(frozenset({"fileinto", "copy", "imap4flags"}))
_FOLDERS = {"folder": "Folder", "deleteditems": "Trash"}
_COLLEAGUE = "colleague@example.org"
_VALUES: Mapping[Predicate, tuple[str, ...]] = {
    **dict.fromkeys((Predicate.FROM, Predicate.SENT_TO), (_COLLEAGUE,)),
    Predicate.HEADER_HAS: ("X-Name: word",),
    Predicate.IMPORTANCE: ("high",),
    Predicate.SENSITIVITY: ("private",),
    Predicate.SIZE: ("100", "200"),
    Predicate.DATES: ("2026-01-31T08:00:00Z", ""),
    **{one: ("word",) for one in Predicate if one.value.startswith("words in") and "header" not in one},
}
"""What a condition asks in the table; of others it is YES."""
_DONE: Mapping[Act, tuple[str, ...]] = {
    Act.CATEGORIES: ("blue",),
    **dict.fromkeys((Act.MOVE, Act.COPY), ("folder",)),
    **dict.fromkeys((Act.REDIRECT, Act.FORWARD), (_COLLEAGUE,)),
}
_OFF = "the rule is switched off"


def condition_table() -> str:
    """Return what each condition and each exception becomes, as Markdown."""
    found = [_condition(one) for one in Predicate if one is not Predicate.UNKNOWN]
    return "\n".join(
        table_rows("Conditions of inbox rules", ("Condition", "In Sieve", "As an exception"), found)
    )


def action_table() -> str:
    """Return what each action becomes, as Markdown."""
    found = [_action(one) for one in Act if one is not Act.UNKNOWN]
    return "\n".join(table_rows("Actions of inbox rules", ("Action", "In Sieve"), found))


def _condition(predicate: Predicate) -> tuple[str, ...]:
    test = sieve_test(Condition(predicate, _VALUES.get(predicate, (YES,))), _PEOPLE)
    if test is None:
        if predicate in SAID:
            raise LookupError(f"the table has no example of {predicate}")
        return str(predicate), f"no words: {_OFF}", _OFF
    needs = f" ({', '.join(sorted(test.extensions))})" if test.extensions else ""
    fewer = ", for less mail" if test.is_narrower else ""
    return str(predicate), f"`{test.text}`{needs}{fewer}", _OFF if fewer else "the same"


def _action(act: Act) -> tuple[str, ...]:
    fitted = _fitted(Action(act, _DONE.get(act, ())))
    if any(loss.reason == "action-not-said" for loss in fitted.losses):
        return str(act), "left out"
    return str(act), " ".join(f"`{one}`" for one in fitted.rule.actions)


def _fitted(action: Action) -> FittedRule:
    return fit_rule(Rule("", 1, True, actions=(action,)), RuleContext(_FOLDERS, _PEOPLE, _ALL))
