"""Restrictions, sort orders and paging of FindItem and FindFolder."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TypeVar

from lxml import etree

from practice.exchange.shape import ExtendedField, parse_extended, parse_uri, whole
from practice.exchange.soap import Dialect, EwsError, M, SoapFault, T, boolean, schema_fault

Field = str | ExtendedField
Value = Callable[[Field], object]
Predicate = Callable[[Value], bool]
Operand = Callable[[Value], object]
T_ = TypeVar("T_")

_ORDERED: dict[str, Callable[[int], bool]] = {
    "IsEqualTo": lambda sign: sign == 0,
    "IsNotEqualTo": lambda sign: sign != 0,
    "IsGreaterThan": lambda sign: sign > 0,
    "IsGreaterThanOrEqualTo": lambda sign: sign >= 0,
    "IsLessThan": lambda sign: sign < 0,
    "IsLessThanOrEqualTo": lambda sign: sign <= 0,
}
_CONTAINED: dict[str, Callable[[str, str], bool]] = {
    "FullString": lambda text, part: text == part,
    "Prefixed": lambda text, part: text.startswith(part),
    "Substring": lambda text, part: part in text,
    "PrefixOnWords": lambda text, part: re.search(rf"\b{re.escape(part)}", text) is not None,
    "ExactPhrase": lambda text, part: re.search(rf"\b{re.escape(part)}\b", text) is not None,
}
_CASELESS = frozenset({"IgnoreCase", "IgnoreCaseAndNonSpacingCharacters", "Loose"})


def matches(predicate: Predicate, subject: T_, value_of: Callable[[T_, Field], object]) -> bool:
    return predicate(lambda field: value_of(subject, field))


def parse_restriction(element: etree._Element | None, dialect: Dialect) -> Predicate | None:
    """Raises SoapFault for what the schema forbids, and for what this server does not know."""
    if element is None:
        return None
    for name in sorted(dialect.tests_missing):
        if element.find(f".//{T}{name}") is not None:
            raise SoapFault("ErrorInvalidOperation", f"Unknown search expression '{name}'.")
    if len(element) != 1:
        raise schema_fault("A Restriction holds exactly one search expression.")
    return _predicate(element[0])


def _predicate(element: etree._Element) -> Predicate:
    name = etree.QName(element).localname
    if name in ("And", "Or"):
        return _joined([_predicate(child) for child in element], all if name == "And" else any)
    if name == "Not" and len(element) == 1:
        return _negated(_predicate(element[0]))
    if name in _ORDERED and len(element) == 2:
        return _compared(_field(element[0]), _operand(element[1]), _ORDERED[name])
    if name == "Contains" and len(element) == 2:
        return _containing(element)
    if name == "Exists" and len(element) == 1:
        return _existing(_field(element[0]))
    if name == "Excludes" and len(element) == 2:
        return _excluding(_field(element[0]), _mask(element[1].get("Value", "")))
    raise schema_fault(f"The element '{name}' is invalid in a Restriction.")


def _joined(parts: list[Predicate], join: Callable[[list[bool]], bool]) -> Predicate:
    return lambda value: join([part(value) for part in parts])


def _negated(part: Predicate) -> Predicate:
    return lambda value: not part(value)


def _existing(field: Field) -> Predicate:
    return lambda value: value(field) not in (None, "", ())


def _mask(text: str) -> int:
    try:
        return int(text, 0)
    except ValueError:
        raise schema_fault(f"The bitmask '{text}' is not a number.") from None


def _excluding(field: Field, mask: int) -> Predicate:
    def excludes(value: Value) -> bool:
        found = value(field)
        return not (found & mask if isinstance(found, int) else 0)

    return excludes


def _field(element: etree._Element) -> Field:
    return parse_extended(element) if element.tag == f"{T}ExtendedFieldURI" else parse_uri(element)


def _operand(element: etree._Element) -> Operand:
    """What the other side of a comparison is: a constant, or another property."""
    inner = element[0] if len(element) == 1 else None
    if element.tag != f"{T}FieldURIOrConstant" or inner is None:
        raise schema_fault("A comparison needs a FieldURIOrConstant.")
    if inner.tag == f"{T}Constant":
        text = inner.get("Value", "")
        return lambda _: text
    other = _field(inner)
    return lambda value: value(other)


def _compared(field: Field, operand: Operand, verdict: Callable[[int], bool]) -> Predicate:
    def compare(value: Value) -> bool:
        found, wanted = value(field), operand(value)
        each = found if isinstance(found, tuple) else (found,)
        signs = [_sign(one, wanted) for one in each]
        return any(sign is not None and verdict(sign) for sign in signs)

    return compare


def _sign(found: object, wanted: object) -> int | None:
    """-1, 0 or 1; None when the property is absent, which no comparison matches."""
    if found is None or wanted is None:
        return None
    left, right = _comparable(found), _like(found, wanted)
    if left == right:
        return 0
    return 1 if left > right else -1  # type: ignore[operator]


def _comparable(value: object) -> object:
    """Exchange compares strings without case."""
    return value.casefold() if isinstance(value, str) else value


def _like(found: object, wanted: object) -> object:
    """A constant's text as the type of the property it is compared with."""
    if not isinstance(wanted, str):
        return wanted
    try:
        if isinstance(found, bool):
            return wanted.lower() in ("true", "1")
        if isinstance(found, int):
            return int(wanted)
        if isinstance(found, datetime):
            return parse_moment(wanted)
    except ValueError:
        raise EwsError(
            "ErrorInvalidValueForProperty", "The specified value is invalid for property."
        ) from None
    return wanted.casefold()


def parse_moment(text: str) -> datetime:
    """An xs:dateTime; without a zone it is UTC. Raises ValueError."""
    moment = datetime.fromisoformat(text)
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _containing(element: etree._Element) -> Predicate:
    field = _field(element[0])
    part = element[1].get("Value", "")
    mode = element.get("ContainmentMode", "FullString")
    if mode not in _CONTAINED:
        raise schema_fault(f"The 'ContainmentMode' attribute is invalid - The value '{mode}'.")
    test = _CONTAINED[mode]
    caseless = element.get("ContainmentComparison", "Exact") in _CASELESS

    def contains(value: Value) -> bool:
        found = value(field)
        texts = found if isinstance(found, tuple) else () if found is None else (str(found),)
        if caseless:
            return any(test(str(text).casefold(), part.casefold()) for text in texts)
        return any(test(str(text), part) for text in texts)

    return contains


def parse_order(element: etree._Element | None) -> list[tuple[Field, bool]]:
    """(field, descending), the most significant first."""
    return [
        (_field(order[0]), order.get("Order") == "Descending")
        for order in ([] if element is None else element)
        if len(order) == 1
    ]


def ordered(
    rows: Sequence[T_], order: list[tuple[Field, bool]], value_of: Callable[[T_, Field], object]
) -> list[T_]:
    result = list(rows)
    for field, descending in reversed(order):
        result.sort(key=_sort_key(field, value_of), reverse=descending)
    return result


def _sort_key(field: Field, value_of: Callable[[T_, Field], object]) -> Callable[[T_], tuple[bool, object]]:
    def key(row: T_) -> tuple[bool, object]:
        value = value_of(row, field)
        return value is not None, _comparable(value) if value is not None else 0

    return key


@dataclass(frozen=True, slots=True)
class Page:
    """A window. indexed: the client asked for one, so the reply says where the next begins."""

    offset: int = 0
    size: int = 1000
    indexed: bool = False
    from_end: bool = False
    fraction: tuple[int, int] | None = None


def parse_page(element: etree._Element, kind: str, limit: int) -> Page:
    """kind is "Item" or "Folder". Raises SoapFault."""
    view = element.find(f"{M}IndexedPage{kind}View")
    if view is not None:
        return Page(
            offset=whole(view.get("Offset"), "Offset"),
            size=_size(view, limit),
            indexed=True,
            from_end=view.get("BasePoint") == "End",
        )
    view = element.find(f"{M}FractionalPage{kind}View")
    if view is not None:
        parts = whole(view.get("Numerator"), "Numerator"), whole(view.get("Denominator"), "Denominator")
        return Page(size=_size(view, limit), fraction=parts)
    return Page(size=limit)


def _size(view: etree._Element, limit: int) -> int:
    asked = view.get("MaxEntriesReturned")
    if asked is None:
        return limit
    size = min(whole(asked, "MaxEntriesReturned"), limit)
    if not size:
        raise schema_fault("The 'MaxEntriesReturned' attribute must be at least 1.")
    return size


def page_of(
    rows: Sequence[T_], page: Page, *, partial: bool = False, most: int | None = None
) -> tuple[Sequence[T_], str]:
    """The rows in the window and the attributes of RootFolder. partial: fewer than asked for. most: so many
    at most, of which the attributes know nothing."""
    total = len(rows)
    start = page.offset
    if page.fraction:
        start = total * page.fraction[0] // max(page.fraction[1], 1)
    size = max(page.size * 2 // 3, 1) if partial else page.size
    if page.from_end:
        stop = max(total - start, 0)
        chosen, after = rows[max(stop - size, 0) : stop], start + min(size, stop)
    else:
        chosen, after = rows[start : start + size], min(start + size, total)
    last = after >= total
    offset = f'IndexedPagingOffset="{after}" ' if page.indexed else ""
    if page.fraction:
        offset = f'NumeratorOffset="{after}" AbsoluteDenominator="{total}" '
    return chosen[:most], f'{offset}TotalItemsInView="{total}" IncludesLastItemInRange="{boolean(last)}"'
