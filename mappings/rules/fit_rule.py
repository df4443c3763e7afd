"""Fit a rule to what a Sieve server can do, exactly or not at all.

A rule of which a part cannot be said is never wider than it was. A condition or an exception without words
makes the whole rule one that never acts: it is switched off, and a part that never holds stands in its
test, so that it does nothing either where somebody switches it on and does not complete it. An action
without words is left out. If it was one that keeps a mail somewhere, or that brings it to somebody, the
rule does not delete the mail either: it stays in the inbox. A rule that sends mail out of the owner's own
domains is switched off, unless a person allowed exactly this rule.

Source:
    RFC 5228 (Sieve), 3894 (copy), 5232 (imap4flags)
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from mappings.fields.ews_xml import printable as carriable
from mappings.fields.flags import SEEN, keyword
from mappings.losses.catalogue import lose
from mappings.rules.rule import Act, Action, Condition, Predicate, Rule
from mappings.rules.sieve_tests import People, Test, sieve_test
from mappings.rules.sieve_text import all_of, any_of, sayable, strings
from model.printable import printable
from model.protocols import Loss
from model.sieve_limits import SieveLimits
from model.sieve_rule import SieveRule, quoted

TRASH = "deleteditems"
"""The distinguished name of the folder into which Exchange deletes."""
NAME = 200
"""Characters of a rule's name."""
KEPT = 4_000
"""Characters of tests for mail that earlier rules kept: each later rule repeats them."""
NEVER = Test("false")
KEEPING = frozenset({Act.MOVE, Act.COPY, Act.REDIRECT, Act.FORWARD, Act.FORWARD_ATTACHED})
"""Actions that leave a mail somewhere, or bring it to somebody."""
ANSWERING = frozenset({Act.REPLY, Act.TEXT_MESSAGE, Act.UNKNOWN})
"""Actions that tell somebody of a mail, or may do so."""
REMOVING = frozenset({Act.DELETE, Act.PERMANENT_DELETE})
SENDING = frozenset({Act.REDIRECT, Act.FORWARD})
STOP = "stop;"
_NO_ACTION = ("keep;",)
MAILBOX = re.compile(
    r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+(\.[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+)*@[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)*"
)
"""An address that every server takes (RFC 5321, 4.1.2): for another one it refuses the whole script."""


@dataclass(frozen=True, slots=True)
class FittedRule:
    """Hold a rule in Sieve, and what it lost.

    Attributes:
        rule: what is written.
        losses: what could not be said, each once.
        may_stop: True if the rule kept later rules from a mail at the source, and not from all of it here:
            the later ones would act on mail that never reached them.
        kept: for which mail, if that can be said exactly: later rules leave it out; None if it cannot.
    """

    rule: SieveRule
    losses: tuple[Loss, ...] = ()
    may_stop: bool = False
    kept: Test | None = None

    @property
    def redirects(self) -> int:
        """How many redirects it carries out."""
        return sum(one.startswith("redirect ") for one in self.rule.actions) if self.rule.active else 0


@dataclass(frozen=True, slots=True)
class RuleContext:
    """Hold what the words of a rule mean for one mailbox and one server.

    Attributes:
        folders: from a folder's id at the source, and from a folder's distinguished name ("inbox",
            "deleteditems"), to the name of the target's mailbox.
        people: the owner, and addresses of others.
        sieve: what the server takes.
        sending: the rules that a person allowed to send mail out of the own domains.
    """

    folders: Mapping[str, str]
    people: People
    sieve: SieveLimits
    sending: frozenset[Rule] = frozenset()


@dataclass(frozen=True, slots=True)
class Earlier:
    """Tell which mail never reached a rule, since an earlier one ended the processing and does so no more.

    Attributes:
        kept: tests that hold for such mail.
        is_unknown: True if there is more of it, and no test says which.
        redirects: how many redirects the rules before have, which one mail may all meet.
    """

    kept: tuple[Test, ...] = ()
    is_unknown: bool = False
    redirects: int = 0

    def then(self, fitted: FittedRule) -> Earlier:
        """Return what a rule after this one is to know."""
        redirects = self.redirects + fitted.redirects
        if not fitted.may_stop or self.is_unknown:
            return replace(self, redirects=redirects)
        kept = self.kept if fitted.kept is None else (*self.kept, fitted.kept)
        too_long = sum(len(one.text) for one in kept) > KEPT
        return Earlier(kept, fitted.kept is None or too_long, redirects)


FIRST = Earlier()


@dataclass
class _Draft:
    """Collect what becomes of one rule."""

    context: RuleContext
    active: bool
    losses: dict[Loss, None] = field(default_factory=dict)
    notes: dict[str, None] = field(default_factory=dict)
    extensions: set[str] = field(default_factory=set)
    redirects: int = 0

    def lose(self, loss: Loss, note: str, *, active: bool = False) -> None:
        self.losses[loss] = None
        self.notes[note] = None
        self.active = self.active and active

    def takes(self, extensions: Iterable[str]) -> bool:
        return set(extensions) <= self.context.sieve.extensions


@dataclass(frozen=True, slots=True)
class _Step:
    """Hold one command, and whose action it is."""

    act: Act
    command: str
    extensions: frozenset[str] = frozenset()


def fit_rules(rules: Iterable[Rule], context: RuleContext) -> list[FittedRule]:
    """Fit all rules of a mailbox, in the order in which they act.

    A rule after one that ended the processing and does so no more would act on more mail than it did. It
    leaves that mail out, or is switched off where nobody can say which mail that is.
    """
    fitted: list[FittedRule] = []
    earlier = Earlier()
    for rule in sorted(rules, key=lambda one: one.place):
        fitted.append(fit_rule(rule, context, earlier))
        earlier = earlier.then(fitted[-1])
    return fitted


def fit_rule(rule: Rule, context: RuleContext, earlier: Earlier = FIRST) -> FittedRule:
    """Fit one rule.

    Args:
        rule: as it was read.
        context: the mailbox and the server.
        earlier: what rules before this one did with mail that they kept from it.

    Returns:
        The rule, switched off unless it does what it did and nothing beyond.
    """
    draft = _Draft(context, rule.enabled, redirects=earlier.redirects)
    _state(draft, rule, earlier)
    own = _test(draft, rule)
    test = all_of([own.text, *(f"not {one.text}" for one in earlier.kept)] if earlier.kept else [own.text])
    steps = _steps(draft, rule)
    if not steps:
        draft.lose(lose("rule", "nothing-left"), "Nothing is left that this rule could do.")
        test = all_of([test, NEVER.text])
    for step in steps:
        draft.extensions |= step.extensions
    said = SieveRule(
        name=printable(carriable(rule.name), lines=False)[:NAME].strip(),
        place=rule.place,
        active=draft.active,
        test=test,
        actions=tuple(dict.fromkeys(step.command for step in steps)) or _NO_ACTION,
        extensions=frozenset(draft.extensions),
        notes=tuple(draft.notes),
    )
    said = _within_limits(draft, said)
    stops = said.active and STOP in said.actions
    may_stop = rule.may_stop and not (stops and not own.is_narrower)
    kept = own if may_stop and not own.is_narrower else None
    return FittedRule(said, tuple(draft.losses), may_stop, kept)


def _state(draft: _Draft, rule: Rule, earlier: Earlier) -> None:
    if rule.is_broken:
        draft.lose(lose("rule", "was-broken"), "Exchange said that this rule is in error.")
    if rule.not_supported:
        draft.lose(lose("rule", "not-supported"), "Exchange showed only a part of this rule.")
    if earlier.is_unknown and rule.enabled:
        note = "A rule before this one kept mail from it, and does so no more."
        draft.lose(lose("rule", "earlier-rule-lost"), note)
    elif earlier.kept:
        draft.notes["Mail that a rule before this one kept from it is left out."] = None
    for test in earlier.kept:
        draft.extensions |= test.extensions


def _test(draft: _Draft, rule: Rule) -> Test:
    """Return the test of a rule. A part without words stands there as one that keeps the rule from acting."""
    forever = any(one.act is Act.PERMANENT_DELETE for one in rule.actions)
    conditions = [_condition(draft, one, forever) for one in rule.conditions]
    exceptions = [_exception(draft, one, forever) for one in rule.exceptions]
    complete = not rule.not_supported and NEVER not in [*conditions, *exceptions]
    parts = [one.text for one in conditions if one is not NEVER]
    barred = [one.text for one in exceptions if one is not NEVER]
    parts += [f"not {any_of(barred)}"] if barred else []
    extensions = frozenset[str]().union(*(one.extensions for one in (*conditions, *exceptions)))
    draft.extensions |= extensions
    is_exact = complete and not any(one.is_narrower for one in conditions)
    text = all_of(parts if complete else [*parts, NEVER.text])
    return Test(text, extensions, is_narrower=not is_exact)


def _condition(draft: _Draft, condition: Condition, forever: bool) -> Test:
    test = _said_test(draft, condition, forever)
    if test is None:
        note = f"A condition could not be said: {condition.predicate}."
        draft.lose(lose("rule", "condition-not-said"), note)
        return NEVER
    if test.is_narrower:
        note = f"A condition holds for less mail than in Exchange: {condition.predicate}."
        draft.lose(lose("rule", "condition-narrower"), note, active=True)
    return test


def _exception(draft: _Draft, condition: Condition, forever: bool) -> Test:
    test = _said_test(draft, condition, forever)
    if test is None or test.is_narrower:
        note = f"An exception could not be said: {condition.predicate}."
        draft.lose(lose("rule", "exception-not-said"), note)
        return NEVER
    return test


def _said_test(draft: _Draft, condition: Condition, forever: bool) -> Test | None:
    """Return the test of a condition. A size that is measured otherwise deletes nothing forever."""
    if forever and condition.predicate is Predicate.SIZE:
        return None
    test = sieve_test(condition, draft.context.people)
    return test if test is not None and draft.takes(test.extensions) else None


def _steps(draft: _Draft, rule: Rule) -> list[_Step]:
    """Return what the rule does. What only a lost action made harmless is left out as well."""
    steps: list[_Step] = []
    lost: set[Act] = set()
    for action in rule.actions:
        said = _said(draft, action)
        steps += said or []
        if said is None:
            lost.add(action.act)
    _name_sending(draft, rule, steps)
    withheld: set[Act] = set()
    if lost & (KEEPING | ANSWERING):
        withheld |= REMOVING
    if Act.MOVE in lost or withheld & {step.act for step in steps} or lost & REMOVING:
        withheld.add(Act.MARK_READ)
    withheld &= {step.act for step in steps}
    if withheld:
        note = "The mail is neither removed nor marked as read, since not all else could be done with it."
        draft.lose(lose("rule", "mail-stays"), note, active=True)
    return [step for step in steps if step.act not in withheld]


def _said(draft: _Draft, action: Action) -> list[_Step] | None:
    """Return the commands of an action; None if it has no words, which is named."""
    commands = _commands(draft.context, action)
    act = action.act
    if commands is not None and act in SENDING and not _redirects_fit(draft, commands):
        commands = None
    if commands is not None and all(draft.takes(step.extensions) for step in commands):
        return commands
    if act in (Act.MOVE, Act.COPY) and _folder(draft.context, action.values) is None:
        note = f"The folder was not moved: {act}."
        draft.lose(lose("rule", "folder-not-migrated"), note, active=True)
    else:
        draft.lose(lose("rule", "action-not-said"), f"An action could not be said: {act}.", active=True)
    return None


def _redirects_fit(draft: _Draft, commands: Sequence[_Step]) -> bool:
    """Count redirects: a server that one mail asks for more than it carries out does nothing at all."""
    draft.redirects += len(commands)
    most = draft.context.sieve.redirects
    return most is None or draft.redirects <= most


def _commands(context: RuleContext, action: Action) -> list[_Step] | None:
    act, values = action.act, action.values
    match act:
        case Act.MARK_READ:
            return [_flags(act, [SEEN])]
        case Act.CATEGORIES:
            return [_flags(act, sorted({keyword(one) for one in values}))] if all(values) else None
        case Act.COPY:
            return _fileinto(act, _folder(context, values), ":copy ", "copy")
        case Act.MOVE:
            return _fileinto(act, _folder(context, values))
        case Act.DELETE:
            return _fileinto(act, _folder(context, (TRASH,)))
        case Act.PERMANENT_DELETE:
            return [_Step(act, "discard;"), _Step(act, STOP)]
        case Act.STOP:
            return [_Step(act, STOP)]
        case Act.REDIRECT | Act.FORWARD:
            return _redirects(context.people, act, values)
        case _:
            return None


def _flags(act: Act, flags: Sequence[str]) -> _Step:
    return _Step(act, f"addflag {strings(flags)};", frozenset({"imap4flags"}))


def _folder(context: RuleContext, values: Sequence[str]) -> str | None:
    name = context.folders.get(values[0]) if values else None
    return name if name is not None and sayable(name) else None


def _fileinto(act: Act, name: str | None, tag: str = "", *extensions: str) -> list[_Step] | None:
    if name is None:
        return None
    return [_Step(act, f"fileinto {tag}{quoted(name)};", frozenset({"fileinto", *extensions}))]


def _redirects(people: People, act: Act, values: Sequence[str]) -> list[_Step] | None:
    """Return one command for each address; None if one of them is unknown, or is the owner's own."""
    found = [people.smtp(one) for one in values]
    known = [one for one in found if one is not None and one.lower() not in people.owner]
    if len(known) < len(found) or not all(map(MAILBOX.fullmatch, known)):
        return None
    once = {one.lower(): one for one in known}
    return [_Step(act, f"redirect :copy {quoted(one)};", frozenset({"copy"})) for one in once.values()]


def _name_sending(draft: _Draft, rule: Rule, steps: Sequence[_Step]) -> None:
    """Name what sending mail on means: out of the owner's domains it takes somebody's approval."""
    people = draft.context.people
    sent = [one for action in rule.actions if action.act in SENDING for one in action.values]
    known = [one for one in map(people.smtp, sent) if one is not None]
    if rule not in draft.context.sending and any(not people.is_own(one) for one in known):
        note = "This rule sends mail out of the own domains, so it is switched off."
        draft.lose(lose("rule", "sends-out"), note)
    if any(step.act is Act.FORWARD for step in steps):
        note = "Mail is sent on as it came; Exchange forwarded it in a mail of the owner's."
        draft.lose(lose("rule", "forward-as-redirect"), note, active=True)


def _within_limits(draft: _Draft, said: SieveRule) -> SieveRule:
    """Return the rule, or one that does nothing in place of one that no script of the server can hold."""
    most = draft.context.sieve.script_bytes
    if most is None or len(said.text().encode()) <= most:
        return said
    draft.lose(lose("rule", "too-long"), "The rule is longer than a script may be.")
    return replace(
        said,
        active=False,
        test=NEVER.text,
        actions=_NO_ACTION,
        extensions=frozenset(),
        notes=tuple(draft.notes),
    )
