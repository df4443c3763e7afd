"""Put a card into the words of another version: vCard 3.0 (RFC 2426), 4.0 (RFC 6350).

What a version has no word for gets an X- property. X-PHONETIC- properties, which both have, are repeated by
SORT-AS in 4.0.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import replace

from mappings.compare.content_lines import unescaped
from mappings.losses.catalogue import lose
from mappings.vcard.card import Card
from mappings.vcard.lines import Parameter, VCardLine, kinds, text
from model.protocols import Loss

Lines = list[VCardLine]

MODERN_WORDS: Mapping[str, tuple[str, ...]] = {
    "CAR": ("x-car",),
    "ISDN": ("x-isdn",),
    "X-TTYTDD": ("textphone",),
    "INTERNET": (),
    "OTHER": (),
    "PREF": (),
}
"""Types that vCard 4.0 removed, renamed or never had; a number without a type is neither home nor work."""

OLD_WORDS: Mapping[str, str] = {"X-CAR": "CAR", "X-ISDN": "ISDN", "TEXTPHONE": "X-TTYTDD"}

MODERN_NAMES: Mapping[str, str] = {
    "X-ADDRESSBOOKSERVER-KIND": "KIND",
    "X-ADDRESSBOOKSERVER-MEMBER": "MEMBER",
    "X-ANNIVERSARY": "ANNIVERSARY",
    "X-HOBBY": "HOBBY",
    "X-LANG": "LANG",
    "X-GENDER": "GENDER",
    "CLASS": "X-CLASS",
    "MAILER": "X-MAILER",
    "LABEL": "X-LABEL",
    "AGENT": "X-AGENT",
    "NAME": "X-NAME",
}
"""What the one version has no name for has another one there."""

OLD_NAMES: Mapping[str, str] = {name: old for old, name in MODERN_NAMES.items()}

RELATED: Mapping[str, str] = {"X-ASSISTANT": "agent", "X-SPOUSE": "spouse", "X-CHILD": "child"}
"""People (RFC 6350 section 6.6.6), which has no word for a manager."""

SPOKEN_NAMES = ("X-PHONETIC-LAST-NAME", "X-PHONETIC-FIRST-NAME")
_SPOKEN = frozenset({*SPOKEN_NAMES, "SORT-STRING", "X-PHONETIC-ORG"})
_NOT_MODERN = frozenset({"SORT-STRING", "PROFILE"})
NO_YEAR = "1604"
"""Programs that know a day without its year write this leap year in vCard 3.0, as Apple does."""

_TYPED = frozenset({"EMAIL", "TEL", "ADR", "URL", "IMPP"})
_DATES = frozenset({"BDAY", "ANNIVERSARY", "X-ANNIVERSARY", "REV"})
_DATE = re.compile(r"(\d{4})-?(\d\d)-?(\d\d)(?:T([\d:]++)(.*))?", re.ASCII)
_BASIC_DATE = re.compile(r"(\d{4}|--)(\d\d)(\d\d)(?:T(\d\d)(\d\d)(\d\d)(.*))?", re.ASCII)
_DATA = re.compile(r"data:([^;,]*);base64,", re.IGNORECASE)
_MEDIA: Mapping[str, str] = {"PHOTO": "image", "LOGO": "image", "SOUND": "audio", "KEY": "application"}


def in_version(card: Card, version: str) -> tuple[Lines, list[Loss]]:
    """Return the lines of a card in the words of a version, and what is lost by that."""
    lines = list(card.lines)
    if card.version == version:
        return lines, []
    return _modern(lines) if version == "4.0" else (_old(lines), [])


def typed(line: VCardLine, words: Iterable[str], version: str) -> VCardLine:
    """Return a line with other types, in the words of a version.

    Args:
        line: of that version.
        words: the types, in those of 3.0, PREF among them.
        version: "3.0", or "4.0", which has a parameter PREF (RFC 6350 section 5.3).
    """
    words = tuple(words)
    others = tuple(pair for pair in line.parameters if pair[0] not in ("TYPE", "PREF"))
    if version == "3.0":
        return replace(line, parameters=(*kinds(*words), *others))
    types = [modern for word in words for modern in MODERN_WORDS.get(word.upper(), (word.lower(),))]
    preferred: tuple[Parameter, ...] = (("PREF", ("1",)),) if "PREF" in words else ()
    return replace(line, parameters=(*kinds(*types), *preferred, *others))


def _types(line: VCardLine) -> list[str]:
    """Return the types of a line in their order, in upper case."""
    return [word.strip().upper() for value in line.parameter("TYPE") for word in value.split(",")]


def _without(line: VCardLine, *names: str) -> VCardLine:
    kept = tuple(pair for pair in line.parameters if pair[0] not in names)
    return line if len(kept) == len(line.parameters) else replace(line, parameters=kept)


def _modern(lines: Lines) -> tuple[Lines, list[Loss]]:
    said = {line.name: unescaped(line.value) for line in reversed(lines) if line.name in _SPOKEN}
    spoken = tuple(said.get(name, "") for name in SPOKEN_NAMES)
    sorting = {
        "N": spoken if any(spoken) else (said.get("SORT-STRING", ""),),
        "ORG": (said.get("X-PHONETIC-ORG", ""),),
    }
    kept = [line for line in lines if line.name not in _NOT_MODERN and not _public(line)]
    losses = [lose("sensitivity", "no-class") for line in kept if line.name == "CLASS"]
    return [_sorted_as(_modern_line(line), sorting.get(line.name, ())) for line in kept], losses


def _public(line: VCardLine) -> bool:
    return line.name == "CLASS" and line.value.strip().upper() == "PUBLIC"


def _sorted_as(line: VCardLine, spoken: tuple[str, ...]) -> VCardLine:
    if not any(spoken) or line.parameter("SORT-AS"):
        return line
    return replace(line, parameters=(*line.parameters, ("SORT-AS", spoken)))


def _modern_line(line: VCardLine) -> VCardLine:
    name = line.name
    if name in RELATED:
        return replace(line, name="RELATED", parameters=(*kinds(RELATED[name]), ("VALUE", ("text",))))
    if name == "UID" and not line.value.startswith("urn:"):
        return replace(line, parameters=(("VALUE", ("text",)), *line.parameters))
    if name in _DATES:
        line = _modern_date(line)
    elif line.parameter("ENCODING"):
        line = _modern_file(line)
    elif line.parameter("TYPE"):
        line = typed(line, _types(line), "4.0")
    return replace(line, name=MODERN_NAMES[name]) if name in MODERN_NAMES else line


def _modern_file(line: VCardLine) -> VCardLine:
    """Return a line with a file, as a URI."""
    kind = next(iter(line.parameter("TYPE")), "octet-stream").lower()
    media = kind if "/" in kind else f"{_MEDIA.get(line.name, 'application')}/{kind}"
    data = f"data:{media};base64,{''.join(line.value.split())}"
    return replace(_without(line, "ENCODING", "TYPE", "VALUE"), value=data)


def _modern_date(line: VCardLine) -> VCardLine:
    match = _DATE.fullmatch(line.value.strip())
    if match is None:
        return line
    year, month, day, clock, zone = match.groups()
    day = f"{'--' if year in line.parameter('X-APPLE-OMIT-YEAR') else year}{month}{day}"
    time = "" if clock is None else f"T{clock}{zone}".replace(":", "")
    return replace(_without(line, "X-APPLE-OMIT-YEAR", "VALUE"), value=day + time)


def _old(lines: Lines) -> Lines:
    repeated = frozenset(line.name for line in lines if line.name.startswith("X-PHONETIC-"))
    made: Lines = []
    for line in lines:
        made.append(_old_line(_without(line, "SORT-AS")))
        spoken, name = line.parameter("SORT-AS"), {"N": "SORT-STRING", "ORG": "X-PHONETIC-ORG"}
        if any(spoken) and line.name in name and not _has_spoken(line.name, repeated):
            made.append(text(name[line.name], " ".join(filter(None, spoken))))
    # RFC 2426 wants a name in parts, and programs refuse a card without one.
    return made if any(line.name == "N" for line in made) else [*made, VCardLine("N", ";;;;")]


def _has_spoken(name: str, repeated: frozenset[str]) -> bool:
    """Return True if a property of its own says how this name is spoken."""
    return "X-PHONETIC-ORG" in repeated if name == "ORG" else bool(repeated - {"X-PHONETIC-ORG"})


def _old_line(line: VCardLine) -> VCardLine:
    name = line.name
    if name == "RELATED":
        return _old_person(line)
    if name in _DATES:
        line = _old_date(line)
    elif _DATA.match(line.value) and name in _MEDIA:
        line = _old_file(line)
    elif name == "TEL" and line.value.lower().startswith("tel:"):
        line = replace(_without(line, "VALUE"), value=line.value[4:])
    elif name in ("UID", "X-CLASS"):
        line = _without(line, "VALUE")
    if name in _TYPED:
        line = typed(line, _old_words(line), "3.0")
    return replace(line, name=OLD_NAMES[name]) if name in OLD_NAMES else line


def _old_words(line: VCardLine) -> tuple[str, ...]:
    words = [OLD_WORDS.get(word, word) for word in _types(line)]
    internet = ["INTERNET"] if line.name == "EMAIL" else []
    return (*internet, *words, *(["PREF"] if line.parameter("PREF") == ("1",) else []))


def _old_person(line: VCardLine) -> VCardLine:
    words = {word.lower() for word in _types(line)}
    name = next((name for name, word in RELATED.items() if words == {word}), "")
    is_text = "text" in line.parameter("VALUE")
    return replace(line, name=name, parameters=()) if name and is_text else line


def _old_file(line: VCardLine) -> VCardLine:
    """Return a line with a file, which is no URI."""
    head = _DATA.match(line.value)
    if head is None:
        return line
    stated: list[Parameter] = [("ENCODING", ("b",))]
    stated += [("TYPE", (head[1].rpartition("/")[2].upper(),))] if head[1] else []
    others = _without(line, "MEDIATYPE", "TYPE", "VALUE").parameters
    return replace(line, value=line.value[head.end() :], parameters=(*stated, *others))


def _old_date(line: VCardLine) -> VCardLine:
    match = _BASIC_DATE.fullmatch(line.value.strip())
    if match is None:
        return line
    year, month, day, *clock = match.groups()
    time = "" if clock[0] is None else f"T{':'.join(clock[:3])}{clock[3]}"
    omitted: tuple[Parameter, ...] = (("X-APPLE-OMIT-YEAR", (NO_YEAR,)),) if year == "--" else ()
    parameters = (*_without(line, "VALUE").parameters, *omitted)
    return replace(line, value=f"{NO_YEAR if omitted else year}-{month}-{day}{time}", parameters=parameters)
