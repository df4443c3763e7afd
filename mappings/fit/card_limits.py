"""Fit the lines of a card to what a target keeps (Capabilities, CardLimits), each by the rule of its name."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Set
from dataclasses import replace

from mappings.compare.content_lines import split, unescaped
from mappings.fields.look_alikes import COMMA, LOOK_ALIKES
from mappings.fit.card_version import typed
from mappings.losses.catalogue import lose
from mappings.vcard.card import LinkedMember
from mappings.vcard.lines import VCardLine, escaped, listed, structured, text
from model.kept_fields import CardLimits
from model.protocols import Capabilities, Loss

Fitted = tuple[list[VCardLine], list[Loss]]
Rule = tuple[Callable[[str, CardLimits], str | None], Loss | None]
"""What becomes of a value, which is encoded, None to leave it out; and what is lost if it changes."""

GROUP = ("KIND", "X-ADDRESSBOOKSERVER-KIND")
MEMBERS = ("MEMBER", "X-ADDRESSBOOKSERVER-MEMBER")
OF_PLAIN_LISTS = frozenset({"PRODID", "UID", "FN", "N", "REV", *GROUP, *MEMBERS})
"""What a list of name and addresses alone keeps."""

ORDERED = (frozenset({"CELL"}), frozenset({"WORK", "VOICE"}), frozenset({"HOME", "VOICE"}))
"""Kinds of which a target that gives types by position marks the first and the second number."""

_MARKED = (("TEL", ORDERED, ("PREF", "X-2ND")), ("ADR", (frozenset({"WORK"}),), ("PREF",)))

POSITIONS = ("WORK", "HOME", "OTHER")
"""Types of the first three mail addresses where the target gives types by position: Open-Xchange 8.19 would
add them, and names the third address twice if it has none."""

_MAIL = re.compile(r"""("[!#-\[\]-~ ]+"|[!#-?A-~]+)@[^\s@]+""", re.ASCII)
"""A mail address with ASCII before the @ (RFC 5321, section 4.1.2), nearly."""


def is_group(lines: Iterable[VCardLine]) -> bool:
    """Return True if a card is a distribution list."""
    return any(line.name in GROUP and line.value.strip().lower() == "group" for line in lines)


def fit_lines(lines: list[VCardLine], target: Capabilities, *, is_list: bool) -> Fitted:
    """Return the lines that the target keeps, and what is lost.

    Args:
        lines: in the words of the version that the target takes.
        target: what it can hold.
        is_list: True for a distribution list.
    """
    if is_list:
        lines, losses = _plain_list(lines) if target.plain_lists else (lines, [])
        lines, lost = _each(_members_once(lines), _LIST_RULES, target.cards)
        return lines, [*losses, *lost]
    lines, losses = _each(lines, _CONTACT_RULES, target.cards)
    if not target.cards.any_mail:
        lines, lost = _mail_addresses(lines, target)
        losses += lost
    return _positions(lines, target) if target.position_types else lines, losses


def _each(lines: Iterable[VCardLine], rules: Mapping[str, Rule], limits: CardLimits) -> Fitted:
    """Return the lines, each by the rule of its name, and what is lost."""
    made, losses = list[VCardLine](), list[Loss]()
    for line in lines:
        rule = rules.get(line.name)
        value = line.value if rule is None else rule[0](line.value, limits)
        if rule is not None and value != line.value:
            losses += [] if rule[1] is None else [rule[1]]
            line = line if value is None else replace(line, value=value)
        if value is not None:
            made.append(line)
    return made, losses


def _parts(value: str, limits: CardLimits) -> str:
    if limits.name_part is None:
        return value
    names = [unescaped(part) for part in split(value, ";")]
    kept = [name[: limits.name_part] for name in names]
    return value if kept == names else structured("N", kept).value


def _shown_name(value: str, limits: CardLimits) -> str:
    if limits.shown_name is None:
        return value
    name = unescaped(value)
    return value if len(name) <= limits.shown_name else escaped(name[: limits.shown_name])


def _nicknames(value: str, limits: CardLimits) -> str | None:
    names = [unescaped(name) for name in split(value, ",")]
    if limits.commas or not any("," in name for name in names):
        return value
    parts = [part.strip() for name in names for part in name.split(",") if part.strip()]
    return listed("NICKNAME", parts).value if parts else None


def _categories(value: str, limits: CardLimits) -> str:
    names = [unescaped(name) for name in split(value, ",")]
    if limits.commas or not any("," in name for name in names):
        return value
    return listed("CATEGORIES", dict.fromkeys(name.replace(",", COMMA) for name in names)).value


def _organisation(value: str, limits: CardLimits) -> str:
    *parts, last = (unescaped(part) for part in split(value, ";"))
    rest = last.rstrip(";")
    if limits.last_semicolon or rest == last:
        return value
    return structured("ORG", (*parts, rest + LOOK_ALIKES[";"] * (len(last) - len(rest)))).value


def _note(value: str, limits: CardLimits) -> str:
    if limits.note_bytes is None:
        return value
    note = unescaped(value).encode()
    kept = note[: limits.note_bytes]
    return value if kept == note else escaped(kept.decode(errors="ignore"))


def _free_busy(value: str, limits: CardLimits) -> str | None:
    return value if limits.free_busy else None


def _confidential(value: str, limits: CardLimits) -> str:
    is_private = not limits.confidential and value.strip().upper() == "CONFIDENTIAL"
    return "PRIVATE" if is_private else value


def _mail_addresses(lines: list[VCardLine], target: Capabilities) -> Fitted:
    """Move what is no mail address to the target; the next one is preferred then."""
    mails = [line for line in lines if line.name == "EMAIL"]
    odd = [line for line in mails if not _MAIL.fullmatch(unescaped(line.value))]
    if not odd:
        return lines, []
    made = [text("X-KOGGE-EMAIL", unescaped(line.value)) if line in odd else line for line in lines]
    left = [line for line in mails if line not in odd]
    is_preferred = any("PREF" in line.words() for line in odd)
    if left and is_preferred and not any("PREF" in line.words() for line in left):
        made[made.index(left[0])] = _with_mark(left[0], "PREF", target)
    return made, [lose("email", "not-taken")]


def _positions(lines: list[VCardLine], target: Capabilities) -> list[VCardLine]:
    """Add the types that the target adds by position, so that they are what comes back."""
    left = {name: [(kind, iter(marks)) for kind in kinds] for name, kinds, marks in _MARKED}
    made: list[VCardLine] = []
    for line in lines:
        wanted = left.get(line.name)
        words = _kinds(line) if wanted else frozenset[str]()
        for kind, marks in wanted or ():
            if kind <= words and (mark := next(marks, "")):
                line = _with_mark(line, mark, target)
        made.append(line)
    return _mail_positions(made, target)


def _kinds(line: VCardLine) -> Set[str]:
    """Return the types of a line; a number is for a voice unless it says otherwise."""
    words = line.words()
    return words | {"VOICE"} if line.name == "TEL" and words <= {"WORK", "HOME", "PREF"} else words


def _with_mark(line: VCardLine, mark: str, target: Capabilities) -> VCardLine:
    words = _in_order(line)
    return line if mark in words else typed(line, (*words, mark), _version(target))


def _in_order(line: VCardLine) -> list[str]:
    words = [word.strip().upper() for value in line.parameter("TYPE") for word in value.split(",")]
    return [*words, *sorted(line.words().difference(words))]


def _version(target: Capabilities) -> str:
    return "4.0" if target.vcard == "4.0" else "3.0"


def _mail_positions(lines: list[VCardLine], target: Capabilities) -> list[VCardLine]:
    """Give each mail address without a position's type that of the first one that is free."""
    mails = [line for line in lines if line.name == "EMAIL"]
    free = iter([word for word in POSITIONS if not any(word in line.words() for line in mails)])

    def placed(line: VCardLine) -> VCardLine:
        if line.name != "EMAIL" or line.words() & set(POSITIONS):
            return line
        mark = next(free, "")
        others = [word for word in _in_order(line) if word != "PREF"]
        return typed(line, (*others, mark) if mark else others, _version(target))

    return [placed(line) for line in lines]


def _plain_list(lines: list[VCardLine]) -> Fitted:
    """Leave a list its name and its members' addresses."""
    kept = [line for line in lines if line.name in OF_PLAIN_LISTS]
    losses = [lose("list", "name-and-members-only")] if len(kept) < len(lines) else []
    members: list[VCardLine] = []
    for line in kept:
        addressed = _addressed(line)
        members += [] if addressed is None else [addressed]
        if addressed is None:
            losses.append(lose("members", "unresolved-address"))
        elif addressed is not line:
            losses.append(lose("members", "not-linked"))
    return members, losses


def _addressed(line: VCardLine) -> VCardLine | None:
    """Return a line with a member's address in place of a link; None for a link without an address."""
    if line.name not in MEMBERS:
        return line
    if isinstance(line, LinkedMember):
        return None if line.plain is None else replace(line.plain, name=line.name)
    return line if line.value.lower().startswith("mailto:") else None


def _members_once(lines: list[VCardLine]) -> Iterator[VCardLine]:
    """Yield the lines, each member once."""
    seen: set[str] = set()
    for line in lines:
        is_member = line.name in MEMBERS
        if not is_member or line.value not in seen:
            yield line
        seen |= {line.value} if is_member else set()


_LIST_RULES: Mapping[str, Rule] = {
    "CATEGORIES": (_categories, lose("categories", "comma-replaced")),
    "NOTE": (_note, lose("text", "shortened")),
    **dict.fromkeys(("CLASS", "X-CLASS"), (_confidential, lose("sensitivity", "shown-as-private"))),
}
_CONTACT_RULES: Mapping[str, Rule] = {
    "N": (_parts, lose("name", "shortened")),
    "FN": (_shown_name, lose("name", "shortened")),
    "NICKNAME": (_nicknames, None),
    "ORG": (_organisation, lose("organisation", "semicolon-replaced")),
    "FBURL": (_free_busy, lose("free-busy", "not-kept")),
    **_LIST_RULES,
}
