"""Map a rule to the text in which it travels (model.sieve_rule), and compare two such texts."""

from __future__ import annotations

import io
from collections.abc import Mapping
from dataclasses import astuple, fields, replace
from datetime import datetime
from functools import lru_cache, partial
from typing import BinaryIO

from mappings.exchange import graph_json
from mappings.fields import ews_xml
from mappings.fields.context import NO_DIGEST, Context, Digests
from mappings.rules.ews_rule import ews_rule
from mappings.rules.fit_rule import FittedRule, RuleContext, fit_rules
from mappings.rules.graph_rule import graph_rule
from mappings.rules.rule import Rule
from mappings.rules.sieve_tests import People
from model.errors import Rejected
from model.kinds import Kind
from model.protocols import Item, Mapped, Native, Ref, Role, key_of
from model.sieve_limits import SieveLimits
from model.sieve_rule import SieveRule, rule_of

DISTINGUISHED: Mapping[Role, str] = {
    Role.INBOX: "inbox",
    Role.SENT: "sentitems",
    Role.DRAFTS: "drafts",
    Role.TRASH: "deleteditems",
    Role.JUNK: "junkemail",
    Role.ARCHIVE: "archive",
}
"""What Exchange calls a folder that a rule names by its role."""
UNREADABLE = Rule("", -(2**63), enabled=True, not_supported=True)


def skip_rule(_native: Native) -> None:
    """Return None: every rule moves, switched off where it must not act."""
    return


def map_rule(native: Native, context: Context) -> Mapped:
    """Map a rule, as it acts behind the ones before it. Of two of one place, nobody knows which is first.

    Raises:
        Rejected: "unknown-format", "malformed-record".
    """
    rule = _read(native)
    rules = [one for one in _all(native) if one.place <= rule.place and one != rule]
    fitted = _fitted([*rules, rule], _meaning(context), context.allowed)[-1]
    return _mapped(native, fitted)


def _fitted(rules: list[Rule], meaning: RuleContext, allowed: Digests) -> list[FittedRule]:
    """Fit the rules; those that a person allowed may send mail out of the own domains.

    Allowed is a rule as it is while none may: which others are allowed changes nothing of what somebody saw.
    """
    fitted = fit_rules(rules, meaning)
    if allowed is NO_DIGEST:
        return fitted
    in_order = sorted(rules, key=lambda one: one.place)
    pairs = zip(in_order, fitted, strict=True)
    sending = frozenset(rule for rule, one in pairs if one.rule.digest() in allowed)
    return fit_rules(rules, replace(meaning, sending=sending)) if sending else fitted


def _mapped(native: Native, fitted: FittedRule) -> Mapped:
    body = fitted.rule.text().encode()
    item = Item(
        kind=Kind.SETTINGS,
        key=key_of(native.ref.id),
        digest=rule_digest(io.BytesIO(body)),
        size=len(body),
        body=lambda: io.BytesIO(body),
    )
    return Mapped(item, fitted.losses)


def _meaning(context: Context) -> RuleContext:
    roles = {DISTINGUISHED[role]: name for role, name in context.roles.items() if role in DISTINGUISHED}
    people = People(context.owner, context.addresses)
    return RuleContext({**roles, **context.folders}, people, context.target.sieve or SieveLimits())


def _read(native: Native) -> Rule:
    if native.format == "ews-rule":
        return ews_rule(ews_xml.items(native)[0])
    if native.format == "graph-rule":
        return graph_rule(graph_json.record(native)["item"])
    raise Rejected("unknown-format", "no mapping for this kind of record")


def _all(native: Native) -> tuple[Rule, ...]:
    """Return the rules of the mailbox; in place of one that cannot be read, one that may stop all others."""
    records = native.properties.get("Rules")
    return _read_all(records, native.format) if isinstance(records, tuple) else ()


@lru_cache(maxsize=2)
def _read_all(records: tuple[bytes, ...], form: str) -> tuple[Rule, ...]:
    """Read them once for all rules of a mailbox, each of which rests on the others."""
    return tuple(_readable(Native(Ref("", ""), form, {}, partial(io.BytesIO, one))) for one in records)


def _readable(native: Native) -> Rule:
    try:
        return _read(native)
    except Rejected:
        return UNREADABLE


def title_of(native: Native) -> str:
    """Return what its owner calls a rule.

    Raises:
        Rejected: it cannot be read.
    """
    return _read(native).name


def rule_digest(stream: BinaryIO, _moment: datetime | None = None) -> bytes:
    """Return the digest of a rule's text.

    Raises:
        Rejected: "malformed-record" if it is no rule.
    """
    return _parsed(stream).digest()


def rule_differing(one: BinaryIO, other: BinaryIO, _moment: datetime) -> tuple[str, ...]:
    """Return the names of the parts in which two rules differ."""
    pairs = zip(fields(SieveRule), astuple(_parsed(one)), astuple(_parsed(other)), strict=True)
    return tuple(part.name for part, mine, theirs in pairs if mine != theirs)


def _parsed(stream: BinaryIO) -> SieveRule:
    try:
        return rule_of(stream.read().decode())
    except ValueError:
        raise Rejected("malformed-record", "it is no rule in Sieve") from None
