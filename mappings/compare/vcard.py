"""Read the meaning of a vCard, field by field, in 3.0 and in 4.0 alike.

See mappings.compare.semantic_digest.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterable, Mapping
from urllib.parse import unquote

from mappings.compare.content_lines import Block, ContentLine, split, texts, tidy, unescaped
from mappings.compare.vevent import Fields, decoded

FIELDS: Mapping[str, str] = {
    "uid": "UID.",
    "kind": "A person or a group (KIND).",
    "name": "FN and N.",
    "nickname": "NICKNAME, as a set.",
    "spoken": "How the names are spoken (X-PHONETIC- properties, SORT-STRING).",
    "filed-as": "X-EVOLUTION-FILE-AS, X-FILE-AS.",
    "emails": "EMAIL with its types.",
    "phones": "TEL with its types.",
    "messengers": "IMPP, and X-JABBER and its like.",
    "addresses": "ADR with its types.",
    "organisation": "ORG and X-OFFICE-LOCATION.",
    "title": "TITLE and ROLE.",
    "people": "RELATED, X-MANAGER, X-ASSISTANT, X-SPOUSE, X-CHILD.",
    "birthday": "BDAY.",
    "anniversary": "ANNIVERSARY.",
    "links": "URL, FBURL, SOURCE, X-FTP-SITE.",
    "notes": "NOTE.",
    "categories": "CATEGORIES, as a set.",
    "privacy": "CLASS, X-CLASS.",
    "members": "Who is in a group.",
    "photo": "The picture's bytes, or where it is.",
    "other": "GENDER, GEO, HOBBY, KEY, LANG, LOGO and what Outlook alone has a property for, in X- ones.",
}
"""Every field and what it compares, in the order in which differences are named."""

_MEANINGLESS = frozenset({"voice", "internet", "other", "intl", "postal", "parcel", ""})
"""Types that are the default (RFC 2426 sections 3.2.1, 3.3.1, 3.3.2) or that vCard 4.0 has no longer."""

_OTHER_WORDS = {"ttytdd": "textphone"}
_PEOPLE = {
    "MANAGER": "manager", "ASSISTANT": "agent", "SPOUSE": "spouse", "CHILD": "child", "EVOLUTION-MANAGER":
    "manager", "EVOLUTION-ASSISTANT": "agent", "EVOLUTION-SPOUSE": "spouse",
}  # fmt: skip
_MESSENGERS = {
    "X-AIM": "aim", "X-ICQ": "icq", "X-JABBER": "xmpp", "X-MSN": "msn", "X-YAHOO": "ymsgr", "X-SKYPE":
    "skype", "X-SKYPE-USERNAME": "skype", "X-GADUGADU": "gg", "X-GROUPWISE": "groupwise",
}  # fmt: skip
_SPOKEN = (
    "X-PHONETIC-FIRST-NAME", "X-PHONETIC-MIDDLE-NAME", "X-PHONETIC-LAST-NAME", "X-PHONETIC-FULL-NAME",
    "X-PHONETIC-ORG", "SORT-STRING",
)  # fmt: skip
_OTHERS = frozenset({
    "ACCOUNT", "BILLING-INFORMATION", "CALADRURI", "CALURI", "COMPANIES", "COMPUTER-NETWORK-NAME",
    "CUSTOMER-ID", "EXPERTISE", "GENDER", "GEO", "GOVERNMENT-ID", "HOBBY", "INITIALS", "INTEREST", "KEY",
    "LANG", "LOGO", "MAILER", "MILEAGE", "ORGANIZATIONAL-ID", "REFERRED-BY", "SOUND", "TZ", "USER-FIELD-1",
    "USER-FIELD-2", "USER-FIELD-3", "USER-FIELD-4", "XML",
})  # fmt: skip
"""Each also with X- before it, which 3.0 needs for what 4.0 brought."""

_DAY = re.compile(r"(\d{4}|--)-?(\d\d)-?(\d\d)(?:T[\d:.]*(?:Z|[+-][\d:]+)?)?", re.ASCII)
_APPLE_LABEL = re.compile(r"_\$!<(.*)>!\$_")

Labels = Mapping[str, str]
Typed = tuple[object, tuple[str, ...]]


def card_fields(card: Block) -> Fields:
    """Return the fields of a VCARD."""
    labels = {line.group: line.text() for line in card.all("X-ABLABEL") if line.group}
    fields: Fields = {name: read(card) for name, read in _PLAIN.items()}
    return fields | {name: _set(read(card, labels)) for name, read in _TYPED.items()}


def _set(values: Iterable[Typed]) -> tuple[Typed, ...]:
    return tuple(sorted(set(values), key=repr))


def _types(line: ContentLine, labels: Labels) -> tuple[str, ...]:
    """Return the kinds of a phone, an address, …: lower case, without defaults.

    "pref" for the preferred one.
    """
    words = {
        word.strip().lower().removeprefix("x-")
        for value in line.parameters.get("TYPE", ())
        for word in value.split(",")
    }
    if line.parameter("PREF") == "1":
        words.add("pref")
    if label := labels.get(line.group):
        apple = _APPLE_LABEL.fullmatch(label.strip())
        words.add(apple[1].lower() if apple else f"label {tidy(label)}")
    return tuple(sorted(_OTHER_WORDS.get(word, word) for word in words - _MEANINGLESS))


def _components(line: ContentLine) -> tuple[str, ...]:
    """Return the components of N, ADR, ORG; empty ones at the end say nothing."""
    parts = [tidy(unescaped(part)) for part in split(line.value, ";")]
    while parts and not parts[-1]:
        parts.pop()
    return tuple(parts)


def _uri(line: ContentLine) -> str:
    return tidy(line.text()).strip()


def _name(card: Block) -> tuple[object, ...]:
    """Return FN and N; an N without a name says as much as none."""
    names = {_components(line) for line in card.all("N")} - {()}
    return card.text("FN"), tuple(sorted(names or {()}))


def _texts_of(card: Block, names: Iterable[str]) -> tuple[tuple[str, str], ...]:
    pairs = {(name.removeprefix("X-"), tidy(line.text())) for name in names for line in card.all(name)}
    return tuple(sorted(pair for pair in pairs if pair[1]))


def _emails(card: Block, labels: Labels) -> Iterable[Typed]:
    return ((_uri(line).removeprefix("mailto:"), _types(line, labels)) for line in card.all("EMAIL"))


def _phones(card: Block, labels: Labels) -> Iterable[Typed]:
    return ((_uri(line).removeprefix("tel:"), _unordered(_types(line, labels))) for line in card.all("TEL"))


def _unordered(types: tuple[str, ...]) -> tuple[str, ...]:
    """Return the types of a number without what tells the first of a kind from the second.

    The one number that is preferred to all has no other type.
    """
    return tuple(one for one in types if one != "2nd" and (one != "pref" or len(types) == 1))


def _messengers(card: Block, labels: Labels) -> Iterable[Typed]:
    for line in card.all("IMPP"):
        yield unquote(_uri(line)), _types(line, labels)
    for name, scheme in _MESSENGERS.items():
        for line in card.all(name):
            yield f"{scheme}:{_uri(line)}", _types(line, labels)


def _addresses(card: Block, labels: Labels) -> Iterable[Typed]:
    typed = ((_components(line), _types(line, labels)) for line in card.all("ADR"))
    return (pair for pair in typed if pair[0])


def _links(card: Block, labels: Labels) -> Iterable[Typed]:
    for name in ("URL", "FBURL", "X-FTP-SITE", "SOURCE"):
        for line in card.all(name):
            yield (name, _uri(line)), _types(line, labels)


def _organisation(card: Block) -> tuple[object, ...]:
    return tuple(sorted({_components(line) for line in card.all("ORG")})), card.text("X-OFFICE-LOCATION")


def _people(card: Block) -> tuple[tuple[str, str], ...]:
    people = {(" ".join(_types(line, {})), tidy(line.text())) for line in card.all("RELATED")}
    for name, word in _PEOPLE.items():
        people |= {(word, tidy(line.text())) for line in card.all(f"X-{name}")}
    return tuple(sorted(people))


def _day(card: Block, *names: str) -> tuple[str, ...]:
    lines = [line for name in names for line in card.all(name)]
    return tuple(sorted({_date(line) for line in lines} - {""}))


def _date(line: ContentLine) -> str:
    """Return YYYYMMDD, or --MMDD without a year (Apple writes a year that it says to leave out)."""
    value = line.value.strip()
    match = _DAY.fullmatch(value.upper())
    if not match:
        return tidy(line.text())
    year, month, day = match.groups()
    return ("--" if year == line.parameter("X-APPLE-OMIT-YEAR") else year) + month + day


def _privacy(card: Block) -> str:
    return (card.value("CLASS") or card.value("X-CLASS")).upper() or "PUBLIC"


def _kind(card: Block) -> str:
    return (
        card.value("KIND") or card.value("X-ADDRESSBOOKSERVER-KIND") or card.value("X-KIND")
    ).lower() or "individual"


def _members(card: Block) -> tuple[tuple[str, str], ...]:
    lines = (*card.all("MEMBER"), *card.all("X-ADDRESSBOOKSERVER-MEMBER"))
    return tuple(sorted({(_member(_uri(line)), line.parameter("X-CN")) for line in lines}))


def _member(value: str) -> str:
    if value[:7].lower() == "mailto:":
        return unquote(value).lower()
    return value.lower().removeprefix("urn:uuid:")


def _photo(card: Block) -> tuple[tuple[str, str], ...]:
    return tuple(sorted({_picture(line) for line in card.all("PHOTO") if line.value.strip()}))


def _picture(line: ContentLine) -> tuple[str, str]:
    content = decoded(line)
    return ("link", _uri(line)) if content is None else ("content", hashlib.sha256(content).hexdigest())


def _others(card: Block) -> tuple[tuple[str, str], ...]:
    names = (name for name in card.lines if name.removeprefix("X-") in _OTHERS or name.startswith("X-KOGGE-"))
    return _texts_of(card, names)


_PLAIN: Mapping[str, Callable[[Block], object]] = {
    "uid": lambda card: card.text("UID").strip().removeprefix("urn:uuid:"),
    "kind": _kind,
    "name": _name,
    "nickname": lambda card: texts(card.all("NICKNAME")),
    "spoken": lambda card: _texts_of(card, _SPOKEN),
    "filed-as": lambda card: _texts_of(card, ("X-EVOLUTION-FILE-AS", "X-FILE-AS")),
    "organisation": _organisation,
    "title": lambda card: _texts_of(card, ("TITLE", "ROLE")),
    "people": _people,
    "birthday": lambda card: _day(card, "BDAY"),
    "anniversary": lambda card: _day(card, "ANNIVERSARY", "X-ANNIVERSARY", "X-EVOLUTION-ANNIVERSARY"),
    "notes": lambda card: _texts_of(card, ("NOTE",)),
    "categories": lambda card: texts(card.all("CATEGORIES")),
    "privacy": _privacy,
    "members": _members,
    "photo": _photo,
    "other": _others,
}

_TYPED: Mapping[str, Callable[[Block, Labels], Iterable[Typed]]] = {
    "emails": _emails,
    "phones": _phones,
    "messengers": _messengers,
    "addresses": _addresses,
    "links": _links,
}
