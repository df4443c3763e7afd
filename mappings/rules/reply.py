"""Say an automatic reply (out of office) in Sieve: one `vacation` for people inside, and one for others.

Each is said exactly, or it answers fewer people than it did. Who is inside is told by the domain of the
envelope's sender, to whom the answer goes: a forged From brings no inside text to anybody outside.

Source:
    RFC 5230 (vacation), 4.1 (:days), 4.5 (:addresses), 4.6 (no answer to lists and other machines);
    RFC 5260 (currentdate); RFC 5228, 5.4 (envelope)
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from mappings.fields.html_text import plain
from mappings.losses.catalogue import lose
from mappings.rules.fit_rule import MAILBOX
from mappings.rules.sieve_tests import now_compared
from mappings.rules.sieve_text import all_of, strings
from model.errors import Rejected
from model.printable import printable
from model.protocols import Loss
from model.sieve_limits import SieveLimits
from model.sieve_rule import SieveRule, quoted

FORMATTING = lose("reply", "formatting")
"""The text had markup; plain text is sent."""
AGAIN = lose("reply", "again-after-a-month")
"""Who writes again after so many days is answered again."""
KNOWN = lose("reply", "known-senders")
"""Outside, it answered people among the owner's contacts alone: it is switched off."""
DAYS = 30
EXTENSIONS = frozenset({"vacation", "envelope"})
DATES = frozenset({"date", "relational"})
TEXT_MOST = 50_000
"""Characters of a text."""
_MARKUP = re.compile(r"<(?:html|body|p|div|br|span|table|b|i|a|ul|ol|font)\b", re.IGNORECASE)
_FORMATTED = re.compile(r"<(?:b|i|u|a|ul|ol|table|font|img|h[1-6]|strong|em)\b|style=", re.IGNORECASE)
_LIKE_COMMENT = re.compile(r"^(?=[#/]|\.)", re.MULTILINE)
_BREAKS = re.compile("\r\n?|[\v\f\x85\u2028\u2029]")


class Audience(StrEnum):
    """Name who outside of the organisation is answered."""

    NONE = "none"
    KNOWN = "known"
    ALL = "all"


@dataclass(frozen=True, slots=True)
class Reply:
    """Describe an owner's automatic reply.

    Attributes:
        enabled: True if it answers, from `start` to `end` if these are given.
        audience: who outside is answered.
        inside, outside: the texts, perhaps in HTML.
        start, end: aware moments; None if it is not bounded.
    """

    enabled: bool
    audience: Audience
    inside: str = ""
    outside: str = ""
    start: datetime | None = None
    end: datetime | None = None


@dataclass(frozen=True, slots=True)
class FittedReply:
    """Hold a reply to one side in Sieve.

    Attributes:
        rule: what is written; None if there is nothing to say, for the reason `left`.
        left: the code of a reply that is not written.
        losses: what could not be said.
    """

    rule: SieveRule | None
    left: str = ""
    losses: tuple[Loss, ...] = ()


def fit_reply(reply: Reply, owner: frozenset[str], sieve: SieveLimits, *, outside: bool) -> FittedReply:
    """Return the reply to people inside, or outside, of the owner's domains.

    Args:
        reply: the reply.
        owner: the lower-case addresses of the owner.
        sieve: what the server takes.
        outside: which of the two.

    Raises:
        Rejected: "too-large": the text is longer than any server takes.
    """
    text, losses = _text(reply.outside if outside else reply.inside)
    if not text:
        return FittedReply(None, "reply-without-text")
    if outside and reply.audience is Audience.NONE:
        return FittedReply(None, "reply-inside-only")
    addresses = sorted(one for one in owner if MAILBOX.fullmatch(one))
    needed = EXTENSIONS | (DATES if reply.start or reply.end else frozenset())
    if not needed <= sieve.extensions or not addresses:
        return FittedReply(None, "reply-not-at-target", losses)
    is_known = outside and reply.audience is Audience.KNOWN
    losses = (*losses, AGAIN, *([KNOWN] if is_known else []))
    rule = SieveRule(
        name="Automatic reply (outside)" if outside else "Automatic reply",
        place=-1 if outside else -2,
        active=reply.enabled and not is_known,
        test=_test(reply, addresses, outside=outside),
        actions=(f"vacation :days {DAYS} :addresses {strings(addresses)} {quoted(text)};",),
        extensions=needed,
        notes=("it answered people among the contacts alone",) if is_known else (),
    )
    return FittedReply(rule, "", losses)


def _test(reply: Reply, addresses: list[str], *, outside: bool) -> str:
    domains = sorted({one.rpartition("@")[2] for one in addresses})
    inside = f'envelope :domain :is "from" {strings(domains)}'
    tests = [f"not {inside}" if outside else inside]
    tests += now_compared(reply.start, "ge") if reply.start else []
    tests += now_compared(reply.end, "lt") if reply.end else []
    return all_of(tests)


def _text(text: str) -> tuple[str, tuple[Loss, ...]]:
    """Return a text as Sieve may carry it, and its losses.

    No line begins like a comment or a mark, for those who read scripts line by line, nor with a tab. A dollar
    before a brace gets a blank: a script may require `variables`.
    """
    is_markup = _MARKUP.search(text) is not None
    seen = plain(text) if is_markup else text
    lines = _BREAKS.sub("\n", seen).replace("\t", "    ").replace("${", "$ {").split("\n")
    clean = "\n".join(printable(line).rstrip() for line in lines).strip("\n ")
    if len(clean) > TEXT_MOST:
        raise Rejected("too-large")
    is_lost = is_markup and _FORMATTED.search(text) is not None
    return _LIKE_COMMENT.sub(" ", clean), (FORMATTING,) if is_lost else ()
