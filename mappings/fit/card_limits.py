"""Fit the lines of a card to what a target keeps of it (Capabilities and CardLimits), each by one rule.

A rule gets the lines in the words of the version that the target takes, and returns what becomes of them
and what is lost.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence, Set
from dataclasses import replace

from mappings.compare.content_lines import split, unescaped
from mappings.fields.look_alikes import COMMA, LOOK_ALIKES
from mappings.fit.card_version import typed
from mappings.losses.catalogue import lose
from mappings.vcard.card import LinkedMember
from mappings.vcard.lines import VCardLine, escaped, listed, structured, text
from model.protocols import Capabilities, Loss

Fitted = tuple[list[VCardLine], list[Loss]]
Rule = Callable[[list[VCardLine], Capabilities], Fitted]

GROUP = ("KIND", "X-ADDRESSBOOKSERVER-KIND")
MEMBERS = ("MEMBER", "X-ADDRESSBOOKSERVER-MEMBER")
OF_PLAIN_LISTS = frozenset({"PRODID", "UID", "FN", "N", "REV", *GROUP, *MEMBERS})
"""What a list of name and addresses alone keeps."""

ORDERED = (frozenset({"CELL"}), frozenset({"WORK", "VOICE"}), frozenset({"HOME", "VOICE"}))
"""Kinds of which a target that gives types by position marks the first and the second number."""

POSITIONS = ("WORK", "HOME", "OTHER")
"""Types of the first three mail addresses where the target gives types by position: Open-Xchange 8.19 would
add them, and names the third address twice if it has none."""

_MAIL = re.compile(r"""("[!#-\[\]-~ ]+"|[!#-?A-~]+)@[^\s@]+""", re.ASCII)
"""A mail address with ASCII before the @ (RFC 5321, section 4.1.2), nearly."""


def is_group(lines: Iterable[VCardLine]) -> bool:
    """Return True if a card is a distribution list."""
    return any(line.bare_name in GROUP and line.value.strip().lower() == "group" for line in lines)


def fit_lines(lines: list[VCardLine], target: Capabilities) -> Fitted:
    """Return the lines that the target keeps, and what is lost.

    Args:
        lines: in the words of the version that the target takes.
        target: what it can hold.
    """
    losses: list[Loss] = []
    for rule in _LIST_RULES if is_group(lines) else _CONTACT_RULES:
        lines, lost = rule(lines, target)
        losses += lost
    return lines, losses


def _each(
    lines: Iterable[VCardLine], name: str, fitted: Callable[[VCardLine], VCardLine | None], loss: Loss | None
) -> Fitted:
    """Return the lines, those of a name as a function has them, and the loss if it changed one."""
    made, lost = list[VCardLine](), False
    for line in lines:
        new = fitted(line) if line.bare_name == name else line
        made += [] if new is None else [new]
        lost = lost or new != line
    return made, [loss] if lost and loss is not None else []


def _names(lines: list[VCardLine], target: Capabilities) -> Fitted:
    limits = target.cards
    shortened = lose("name", "shortened")

    def parts(line: VCardLine) -> VCardLine:
        names = [unescaped(part) for part in split(line.value, ";")]
        kept = [name[: limits.name_part] for name in names]
        return line if kept == names else replace(line, value=structured("N", kept).value)

    def shown(line: VCardLine) -> VCardLine:
        name = unescaped(line.value)
        kept = name[: limits.shown_name]
        return line if kept == name else replace(line, value=escaped(kept))

    lines, of_parts = _each(lines, "N", parts, shortened)
    lines, of_whole = _each(lines, "FN", shown, shortened)
    return lines, [*of_parts, *of_whole]


def _nicknames(lines: list[VCardLine], target: Capabilities) -> Fitted:
    def parted(line: VCardLine) -> VCardLine | None:
        names = [unescaped(name) for name in split(line.value, ",")]
        if not any("," in name for name in names):
            return line
        parts = [part.strip() for name in names for part in name.split(",") if part.strip()]
        return replace(line, value=listed("NICKNAME", parts).value) if parts else None

    return (lines, []) if target.cards.commas else _each(lines, "NICKNAME", parted, None)


def _categories(lines: list[VCardLine], target: Capabilities) -> Fitted:
    def without(line: VCardLine) -> VCardLine:
        names = [unescaped(name) for name in split(line.value, ",")]
        spelled = [name.replace(",", COMMA) for name in names]
        if spelled == names:
            return line
        return replace(line, value=listed("CATEGORIES", dict.fromkeys(spelled)).value)

    if target.cards.commas:
        return lines, []
    return _each(lines, "CATEGORIES", without, lose("categories", "comma-replaced"))


def _organisation(lines: list[VCardLine], target: Capabilities) -> Fitted:
    def ended(line: VCardLine) -> VCardLine:
        *parts, last = (unescaped(part) for part in split(line.value, ";"))
        rest = last.rstrip(";")
        if rest == last:
            return line
        ending = LOOK_ALIKES[";"] * (len(last) - len(rest))
        return replace(line, value=structured("ORG", (*parts, rest + ending)).value)

    if target.cards.last_semicolon:
        return lines, []
    return _each(lines, "ORG", ended, lose("organisation", "semicolon-replaced"))


def _note(lines: list[VCardLine], target: Capabilities) -> Fitted:
    most = target.cards.note_bytes
    if most is None:
        return lines, []

    def cut(line: VCardLine) -> VCardLine:
        note = unescaped(line.value).encode()
        return (
            line if len(note) <= most else replace(line, value=escaped(note[:most].decode(errors="ignore")))
        )

    return _each(lines, "NOTE", cut, lose("text", "shortened"))


def _free_busy(lines: list[VCardLine], target: Capabilities) -> Fitted:
    if target.cards.free_busy:
        return lines, []
    return _each(lines, "FBURL", lambda _: None, lose("free-busy", "not-kept"))


def _confidential(lines: list[VCardLine], target: Capabilities) -> Fitted:
    def private(line: VCardLine) -> VCardLine:
        return replace(line, value="PRIVATE") if line.value.strip().upper() == "CONFIDENTIAL" else line

    if target.cards.confidential:
        return lines, []
    name = "X-CLASS" if target.vcard == "4.0" else "CLASS"
    return _each(lines, name, private, lose("sensitivity", "shown-as-private"))


def _mail_addresses(lines: list[VCardLine], target: Capabilities) -> Fitted:
    """Move what is no mail address to the target; the next one is preferred then."""

    def taken(line: VCardLine) -> VCardLine:
        return (
            line if _MAIL.fullmatch(unescaped(line.value)) else text("X-KOGGE-EMAIL", unescaped(line.value))
        )

    if target.cards.any_mail:
        return lines, []
    made, losses = _each(lines, "EMAIL", taken, lose("email", "not-taken"))
    preferred = any("PREF" in line.words() for line in lines if line.bare_name == "EMAIL")
    left = [line for line in made if line.bare_name == "EMAIL"]
    if left and preferred and not any("PREF" in line.words() for line in left):
        made[made.index(left[0])] = _with_mark(left[0], "PREF", target)
    return made, losses


def _positions(lines: list[VCardLine], target: Capabilities) -> Fitted:
    """Add the types that the target adds by position, so that they are what comes back."""
    if not target.position_types:
        return lines, []
    for kind in ORDERED:
        lines = _marked(lines, "TEL", kind, ("PREF", "X-2ND"), target)
    return _mail_positions(_marked(lines, "ADR", {"WORK"}, ("PREF",), target), target), []


def _marked(
    lines: Sequence[VCardLine], name: str, kind: Set[str], marks: Sequence[str], target: Capabilities
) -> list[VCardLine]:
    """Mark the first line of a kind with the first mark, the second with the second."""
    left = iter(marks)
    return [
        _with_mark(line, mark, target)
        if line.bare_name == name and kind <= _kinds(line) and (mark := next(left, ""))
        else line
        for line in lines
    ]


def _kinds(line: VCardLine) -> Set[str]:
    """Return the types of a line; a number is for a voice unless it says otherwise."""
    words = line.words()
    return words | {"VOICE"} if line.bare_name == "TEL" and words <= {"WORK", "HOME", "PREF"} else words


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
    mails = [line for line in lines if line.bare_name == "EMAIL"]
    free = iter([word for word in POSITIONS if not any(word in line.words() for line in mails)])

    def placed(line: VCardLine) -> VCardLine:
        words = _in_order(line)
        if line.bare_name != "EMAIL" or line.words() & set(POSITIONS):
            return line
        mark = next(free, "")
        others = [word for word in words if word != "PREF"]
        return typed(line, (*others, mark) if mark else others, _version(target))

    return [placed(line) for line in lines]


def _plain_lists(lines: list[VCardLine], target: Capabilities) -> Fitted:
    """Leave a list its name and its members' addresses."""
    if not target.plain_lists:
        return lines, []
    kept = [line for line in lines if line.bare_name in OF_PLAIN_LISTS]
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
    if line.bare_name not in MEMBERS:
        return line
    if isinstance(line, LinkedMember):
        return None if line.plain is None else replace(line.plain, name=line.name)
    return line if line.value.lower().startswith("mailto:") else None


def _members_once(lines: list[VCardLine], _target: Capabilities) -> Fitted:
    """Name each member once."""
    seen: set[str] = set()
    made: list[VCardLine] = []
    for line in lines:
        if line.bare_name not in MEMBERS or line.value not in seen:
            made.append(line)
        seen |= {line.value} if line.bare_name in MEMBERS else set()
    return made, []


_CONTACT_RULES: Sequence[Rule] = (
    _names, _nicknames, _categories, _organisation, _note, _free_busy, _confidential, _mail_addresses,
    _positions,
)  # fmt: skip
_LIST_RULES: Sequence[Rule] = (
    _plain_lists, _members_once, _categories, _note, _confidential,
)  # fmt: skip
