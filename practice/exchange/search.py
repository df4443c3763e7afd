"""Read sort orders and pages of FindItem and FindFolder."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TypeVar

from lxml import etree

from practice.exchange.shape import ExtendedField, parse_extended, parse_uri, whole
from practice.exchange.soap import M, SoapFault, T, boolean, schema_fault

Field = str | ExtendedField
T_ = TypeVar("T_")


def refuse_restriction(element: etree._Element) -> None:
    """Refuse a search with conditions: Kogge reads folders whole.

    Raises:
        SoapFault: there is a Restriction.
    """
    if element.find(f"{M}Restriction") is not None:
        raise SoapFault("ErrorInvalidOperation", "The practice Exchange knows no Restriction.")


def _field(element: etree._Element) -> Field:
    return parse_extended(element) if element.tag == f"{T}ExtendedFieldURI" else parse_uri(element)


def _comparable(value: object) -> object:
    """Exchange compares strings without case."""
    return value.casefold() if isinstance(value, str) else value


def parse_moment(text: str) -> datetime:
    """Return the moment of an xs:dateTime; without a zone it is UTC.

    Raises:
        ValueError: it is none.
    """
    moment = datetime.fromisoformat(text)
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def parse_order(element: etree._Element | None) -> list[tuple[Field, bool]]:
    """Return (field, descending), the most significant first."""
    return [
        (_field(order[0]), order.get("Order") == "Descending")
        for order in ([] if element is None else element)
        if len(order) == 1
    ]


def ordered(
    rows: Sequence[T_], order: list[tuple[Field, bool]], value_of: Callable[[T_, Field], object]
) -> list[T_]:
    """Return the rows in this order."""
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
    """Hold a window.

    Attributes:
        indexed: True if the client asked for one, so that the reply says where the next begins.
    """

    offset: int = 0
    size: int = 1000
    indexed: bool = False


def parse_page(element: etree._Element, kind: str, limit: int) -> Page:
    """Return the window of a request.

    Args:
        element: the request.
        kind: "Item" or "Folder".
        limit: the most rows.

    Raises:
        SoapFault: the schema forbids it.
    """
    view = element.find(f"{M}IndexedPage{kind}View")
    if view is not None:
        return Page(
            offset=whole(view.get("Offset"), "Offset"),
            size=_size(view, limit),
            indexed=True,
        )
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
    """Return the rows in the window and the attributes of RootFolder.

    Args:
        rows: all.
        page: the window.
        partial: True for fewer than asked for.
        most: so many at most, of which the attributes say nothing.
    """
    total = len(rows)
    start = page.offset
    size = max(page.size * 2 // 3, 1) if partial else page.size
    chosen, after = rows[start : start + size], min(start + size, total)
    last = after >= total
    offset = f'IndexedPagingOffset="{after}" ' if page.indexed else ""
    return chosen[:most], f'{offset}TotalItemsInView="{total}" IncludesLastItemInRange="{boolean(last)}"'
