"""Reading EWS records: names, types, MAPI properties, and characters XML has not."""

from __future__ import annotations

from copy import deepcopy
from datetime import UTC, datetime

import pytest
from event_native import element, native
from hypothesis import given
from hypothesis import strategies as st
from lxml import etree

from mappings.fields.ews_xml import (
    SPACES,
    Key,
    altered,
    child,
    children,
    decimal,
    extended,
    extended_values,
    flag,
    items,
    kind,
    moment,
    number,
    printable,
    text,
)


def prop(attributes: str, *values: str) -> str:
    inner = "".join(f"<t:Value>{value}</t:Value>" for value in values)
    held = inner if len(values) == 1 else f"<t:Values>{inner}</t:Values>"
    return f"<t:ExtendedProperty><t:ExtendedFieldURI {attributes}/>{held}</t:ExtendedProperty>"


def nested(found: list[tuple[str, str]]) -> str:
    return "".join(f"<{name}>{number}{inner}</{name}>" for number, (name, inner) in enumerate(found))


def test_elements_by_name_and_by_path() -> None:
    item = element("<t:A><t:B>x</t:B><t:B>y</t:B></t:A><t:Empty/><m:C>no</m:C>")
    assert (kind(item), text(item, "t:A/t:B"), text(item, "t:Empty"), text(item, "t:None")) == (
        *("CalendarItem", "x"),
        *("", ""),
    )
    assert [one.text for one in children(item, "t:A/t:B")] == ["x", "y"]
    assert child(item, "t:C") is None
    assert text(item, "m:C") == "no"


STEPS = st.sampled_from(["t:A", "t:B", "m:A"])


@given(
    st.recursive(st.just(""), lambda inner: st.builds(nested, st.lists(st.tuples(STEPS, inner)))), st.data()
)
def test_a_path_is_looked_for_as_lxml_looks_for_it(inner: str, data: st.DataObject) -> None:
    item, path = element(inner), "/".join(data.draw(st.lists(STEPS, min_size=1, max_size=3)))
    assert children(item, path) == item.findall(path, SPACES)
    assert child(item, path) is item.find(path, SPACES)
    assert text(item, path) == item.findtext(path, "", SPACES)


def test_an_item_that_changes_is_looked_at_again() -> None:
    item = element("<t:A>x</t:A><!-- note --><t:B>y</t:B>")
    assert [text(item, path) for path in ("t:A", "t:B")] == ["x", "y"]
    copy = deepcopy(item)
    copy.remove(copy[0])
    assert [text(copy, path) for path in ("t:A", "t:B")] == ["", "y"]
    assert [text(item, path) for path in ("t:A", "t:B")] == ["x", "y"]
    item.remove(item[0])
    assert [text(item, path) for path in ("t:A", "t:B")] == ["", "y"]


@pytest.mark.parametrize(
    ("written", "value"), [("true", True), (" TRUE ", True), ("1", True), ("false", False), ("", False)]
)
def test_flags(written: str, value: bool) -> None:
    assert flag(element(f"<t:F>{written}</t:F>"), "t:F") is value


@pytest.mark.parametrize(
    ("written", "value"),
    [("5", 5), (" -5 ", -5), ("", None), ("5.0", None), ("\u0665", None), ("9" * 19, None)],
)
def test_numbers(written: str, value: int | None) -> None:
    assert number(element(f"<t:N>{written}</t:N>"), "t:N") == value


@pytest.mark.parametrize(
    ("written", "value"),
    [
        ("5", 5.0),
        ("-54.25", -54.25),
        ("1E-2", 0.01),
        ("NaN", None),
        ("INF", None),
        ("1e999", None),
        ("", None),
    ],
)
def test_decimals(written: str, value: float | None) -> None:
    assert decimal(element(f"<t:N>{written}</t:N>"), "t:N") == value


@pytest.mark.parametrize(
    ("written", "value"),
    [
        ("2026-01-02T03:04:05Z", datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)),
        (" 2026-01-02T03:04:05 ", datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)),
        ("2026-01-02T03:04:05.169475200Z", datetime(2026, 1, 2, 3, 4, 5, 169475, tzinfo=UTC)),
        ("2026-01-02T03:04:05+01:30", datetime(2026, 1, 2, 1, 34, 5, tzinfo=UTC)),
        ("2026-01-02T03:04:05-01:00", datetime(2026, 1, 2, 4, 4, 5, tzinfo=UTC)),
        ("2026-01-02+02:00", datetime(2026, 1, 1, 22, tzinfo=UTC)),
        ("2026-01-02", datetime(2026, 1, 2, tzinfo=UTC)),
        ("0001-01-01T00:00:00+14:00", None),
        ("9999-12-31T23:59:59-01:00", None),
        ("10000-01-01T00:00:00Z", None),
        ("2026-02-30T00:00:00Z", None),
        ("2026-01-02T03:04:05+99:00", None),
        ("yesterday", None),
        ("", None),
    ],
)
def test_moments(written: str, value: datetime | None) -> None:
    assert moment(written) == value


@pytest.mark.parametrize(
    ("attributes", "key"),
    [
        ('PropertyTag="0x3a4e"', 0x3A4E),
        ('PropertyTag="0x3A4E"', 0x3A4E),
        ('PropertyTag="14926"', 0x3A4E),
        ('DistinguishedPropertySetId="PublicStrings" PropertyName="x"', ("PublicStrings", "x")),
        ('PropertySetId="00062008-0000-0000-C000-000000000046" PropertyId="34070"',
         ("00062008-0000-0000-c000-000000000046", 0x8516)),
    ],
)  # fmt: skip
def test_properties_by_tag_or_set(attributes: str, key: Key) -> None:
    item = element(prop('PropertyTag="0x1"', "other") + prop(attributes, "value"))
    assert extended(item, key) == "value"
    assert extended(item, 0x9999) is None
    assert extended_values(element(prop(attributes, "a", "b")), key) == ["a", "b"]


@pytest.mark.parametrize("attributes", ["", 'PropertyTag="tag"', 'PropertySetId="x" PropertyId="y"'])
def test_properties_of_no_sense_are_none(attributes: str) -> None:
    assert extended(element(prop(attributes, "x")), 0x3A4E) is None
    assert extended(element(prop(attributes, "x")), ("x", 5)) is None


@pytest.mark.parametrize(
    ("written", "clean"),
    [
        ("a\x00b", "ab"),
        ("a\r\nb\rc\u2028d\x85e", "a\nb\nc\nd\ne"),
        ("a\tb", "a\tb"),
        ("\x7f\ufffe\ufdd0\ud800x", "x"),
        ("\ufffd\u200b\U0001f600", "\ufffd\u200b\U0001f600"),
    ],
)
def test_what_can_be_carried(written: str, clean: str) -> None:
    assert printable(written) == clean


@given(st.text())
def test_what_is_printable_stays_so(written: str) -> None:
    clean = printable(written)
    assert printable(clean) == clean
    assert not altered(clean)
    assert altered(written) == (len(written.replace("\r\n", "\n")) != len(clean))
    clean.encode()
    if clean:
        etree.Element("x").text = clean


@given(st.binary(max_size=12))
def test_no_reference_is_too_strange_to_read_around(raw: bytes) -> None:
    space = SPACES["m"].encode()
    digits = raw.hex().encode()
    whole = b'<m:Items xmlns:m="' + space + b'"><m:A>x&#x' + (digits[:7] or b"1") + b";y</m:A></m:Items>"
    (found,) = items(native(whole))
    assert (found.text or "").startswith("x")
    assert (found.text or "").endswith("y")
