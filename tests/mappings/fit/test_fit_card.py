"""A card is fitted to a target in the same way, whether it was read from Exchange or is a vCard already."""

from __future__ import annotations

import io
import re
import tracemalloc
from base64 import b64encode
from dataclasses import replace
from pathlib import Path
from typing import BinaryIO

import pytest
from golden_records import GOLDENS, NOT_AFTER, context, golden, names, record

from connectors.caldav.product_open_xchange import PROFILE
from mappings.compare.content_lines import MOST_BYTES
from mappings.compare.semantic_digest import card_meaning
from mappings.fields.context import Context
from mappings.registry import ITEM_FORMS
from model.errors import Rejected
from model.kept_fields import CardLimits
from model.kinds import Kind
from model.protocols import Capabilities, Mapped, Native, Ref

ROOT = Path(__file__).parents[3]
CARDS = frozenset({Kind.CONTACTS})
OX = Capabilities(CARDS, position_types=True, cards=PROFILE.cards, max_bytes=4_194_304)
SMALL = CardLimits(3, 4, 5, False, False, False, False, False)
TARGETS = {
    "generic": Capabilities(CARDS),
    "four": Capabilities(CARDS, vcard="4.0"),
    "open-xchange": OX,
    "open-xchange-four": replace(OX, vcard="4.0"),
    "small": Capabilities(CARDS, cards=SMALL, max_bytes=8000, attachment_bytes=60),
    "small-four": Capabilities(CARDS, cards=SMALL, attachment_bytes=60, vcard="4.0"),
}


def vcard(body: bytes | str) -> Native:
    data = body.encode() if isinstance(body, str) else body
    return Native(Ref("id-1", "v1"), "vcard", {}, lambda: io.BytesIO(data))


def mapped(native: Native, context: Context) -> Mapped:
    return ITEM_FORMS[Kind.CONTACTS].map(native, context)


def body(made: Mapped) -> bytes:
    return made.item.body().read()


def unfolded(made: Mapped) -> list[str]:
    return body(made).decode().replace("\r\n ", "").split("\r\n")


def reasons(made: Mapped) -> set[str]:
    return {f"{loss.field}/{loss.reason}" for loss in made.losses}


@pytest.mark.parametrize("target", TARGETS.values(), ids=TARGETS)
@pytest.mark.parametrize("name", names("contact"))
def test_both_ways_end_with_the_same_bytes_and_losses(name: str, target: Capabilities) -> None:
    direct = mapped(golden("contact", name), context(target))
    whole = mapped(golden("contact", name), context(Capabilities(CARDS, vcard=target.vcard)))
    second = mapped(vcard(body(whole)), context(target))
    assert body(second) == body(direct)
    assert second.item.digest == direct.item.digest
    assert reasons(second) | reasons(whole) == reasons(direct)


@pytest.mark.parametrize("name", names("contact"))
def test_a_card_of_the_other_version_becomes_what_the_record_becomes(name: str) -> None:
    three, four = (GOLDENS / "contact" / f"{name}.{version}.vcf" for version in (3, 4))
    modern = mapped(vcard(three.read_bytes()), context(TARGETS["four"]))
    # A parameter of 3.0 cannot hold a double quote: a single one stands in the member's name.
    assert unfolded(modern) == four.read_text().replace("\n ", "").replace("^'", "'").split("\n")
    old = mapped(vcard(four.read_bytes()), context(TARGETS["generic"]))
    one, other = (
        card_meaning(stream, NOT_AFTER).fields for stream in (old.item.body(), io.BytesIO(three.read_bytes()))
    )
    assert {field for field in one if one[field] != other[field]} == set()


def elsewhere(*lines: str, version: str = "3.0") -> Native:
    framed = ["BEGIN:VCARD", f"VERSION:{version}", "UID:u", "FN:A", "N:A;;;;", *lines, "END:VCARD", ""]
    return vcard("\r\n".join(framed))


@pytest.mark.parametrize(
    ("line", "loss", "kept"),
    [
        (f"item1.NOTE:{'n' * 70_000}", "text/shortened", ""),
        ("EMAIL;TYPE=HOME:jörg@x.example", "email/not-taken", "X-KOGGE-EMAIL:jörg@x.example"),
        (
            "CATEGORIES:A\\, B,C",
            "categories/comma-replaced",
            "CATEGORIES:A\N{SINGLE LOW-9 QUOTATION MARK} B,C",
        ),
        ("ORG:A\\;;B\\;", "organisation/semicolon-replaced", "ORG:A\\;;B\N{FULLWIDTH SEMICOLON}"),
        ("ORG:A\\;;", "", "ORG:A\\;;"),
        ("NICKNAME:A\\,B,C", "", "NICKNAME:A,B,C"),
        ("FBURL:http://x.example", "free-busy/not-kept", ""),
        ("CLASS:confidential", "sensitivity/shown-as-private", "CLASS:PRIVATE"),
        ("TEL;TYPE=work:1", "", "TEL;TYPE=WORK,PREF:1"),
        ("EMAIL;TYPE=internet:a@x.example", "", "EMAIL;TYPE=INTERNET,WORK:a@x.example"),
        ("EMAIL;TYPE=home:a@x.example", "", "EMAIL;TYPE=home:a@x.example"),
        ("N:Müller, Jr;Hans,Peter;;;", "", "N:Müller, Jr;Hans,Peter;;;"),
    ],
)
def test_a_card_from_elsewhere_loses_what_the_target_does_not_keep(line: str, loss: str, kept: str) -> None:
    made = mapped(elsewhere(line), context(OX))
    assert reasons(made) == ({loss} if loss else set())
    assert not kept or kept in unfolded(made)


def test_a_place_that_a_type_has_taken_is_given_to_no_other_address() -> None:
    made = mapped(
        elsewhere("EMAIL:a@x.example", "EMAIL;TYPE=work:b@x.example", "EMAIL;TYPE=PREF:c@x.example"),
        context(OX),
    )
    assert [line for line in unfolded(made) if line.startswith("EMAIL")] == [
        "EMAIL;TYPE=HOME:a@x.example",
        "EMAIL;TYPE=work:b@x.example",
        "EMAIL;TYPE=OTHER:c@x.example",
    ]


def test_the_next_address_is_preferred_where_the_first_is_not_taken() -> None:
    target = Capabilities(CARDS, cards=CardLimits(any_mail=False))
    made = mapped(elsewhere("EMAIL;TYPE=PREF:ö@x.example", "EMAIL:b@x.example"), context(target))
    assert "EMAIL;TYPE=PREF:b@x.example" in unfolded(made)


def test_a_list_from_elsewhere_keeps_its_links_or_names_them_lost() -> None:
    group = elsewhere(
        "KIND:group",
        "MEMBER:urn:uuid:b",
        *["MEMBER:mailto:c@x.example"] * 2,
        version="4.0",
    )
    with pytest.raises(Rejected, match="groups-unsupported"):
        mapped(group, context(replace(OX, groups=False)))
    linked = unfolded(mapped(group, context(Capabilities(CARDS))))
    assert [line for line in linked if "MEMBER" in line] == [
        "X-ADDRESSBOOKSERVER-MEMBER:urn:uuid:b",
        "X-ADDRESSBOOKSERVER-MEMBER:mailto:c@x.example",
    ]
    plain = mapped(group, context(replace(OX, plain_lists=True)))
    assert reasons(plain) == {"members/unresolved-address"}
    assert "X-ADDRESSBOOKSERVER-MEMBER:urn:uuid:b" not in unfolded(plain)


@pytest.mark.parametrize("version", ["3.0", "4.0"])
def test_a_card_without_uid_and_name_gets_them(version: str) -> None:
    raw = f"BEGIN:VCARD\r\nVERSION:{version}\r\nORG:Firma\r\nEND:VCARD\r\n"
    made = mapped(vcard(raw), context(Capabilities(CARDS)))
    assert {"FN:Firma", f"UID:{made.item.uid}"} < set(unfolded(made))
    assert any(line.startswith("N:") for line in unfolded(made)) or version == "3.0"
    assert made.item.uid == context().uid_of(made.item.key)
    nothing = mapped(vcard(raw.replace("ORG:Firma\r\n", "")), context(Capabilities(CARDS)))
    assert reasons(nothing) == {"name/none-given"}


JPEG, PNG = (b64encode(head + bytes(90)).decode() for head in (b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n"))
PICTURES = {
    "3.0": (f"PHOTO;ENCODING=b;TYPE=JPEG:{JPEG}", f"item1.PHOTO;ENCODING=BASE64;TYPE=PNG:{PNG}"),
    "4.0": (f"PHOTO:data:image/jpeg;base64,{JPEG}", f"PHOTO;PREF=1:data:image/png;base64,{PNG}"),
}


def photos(made: Mapped) -> list[str]:
    return [line for line in unfolded(made) if "PHOTO" in line]


@pytest.mark.parametrize("version", PICTURES)
def test_each_picture_of_a_card_is_fitted(version: str) -> None:
    first, second = PICTURES[version]
    card = elsewhere(first, second, first.replace("AAA", "%"), version=version)
    both = mapped(card, context(Capabilities(CARDS)))
    jpeg, png = f"PHOTO;ENCODING=b;TYPE=JPEG:{JPEG}", f"PHOTO;ENCODING=b;TYPE=PNG:{PNG}"
    preferred, other = (png, jpeg) if version == "4.0" else (jpeg, png)
    assert photos(both) == [preferred, other]
    assert reasons(both) == {"photo/not-read"}
    one = mapped(card, context(OX))
    assert photos(one) == [preferred]
    assert reasons(one) == {"photo/not-read", "photo/one-only"}
    for small in (replace(OX, attachment_bytes=60), replace(OX, max_bytes=200)):
        none = mapped(card, context(small))
        assert photos(none) == []
        assert "photo/too-large" in reasons(none)


def test_a_card_whose_bytes_are_no_utf_8_is_refused() -> None:
    for line in ("NOTE:@", "X-@:a", "TEL;TYPE=@:1", "@.TEL:1", "PHOTO;ENCODING=b:@"):
        card = elsewhere(line)
        assert card.body is not None
        for odd in (b"\xff", b"\xc3", b"\xed\xa0\x80"):
            broken = vcard(card.body().read().replace(b"@", odd))
            with pytest.raises(Rejected, match="malformed-record"):
                mapped(broken, context(OX))


@pytest.mark.parametrize("name", ["NOTE", "X-ANYTHING", "TEL;TYPE=" + "w" * 100_000, "g" * 100_000 + ".TEL"])
def test_a_very_long_line_is_read_and_folded(name: str) -> None:
    made = mapped(elsewhere(f"{name}:{'ä' * 1_000_000}"), context(Capabilities(CARDS)))
    assert max(map(len, body(made).split(b"\r\n"))) <= 75
    assert f":{'ä' * 1_000_000}" in body(made).decode().replace("\r\n ", "")


def test_a_card_without_end_is_refused() -> None:
    with pytest.raises(Rejected, match="malformed-record"):
        mapped(elsewhere(f"NOTE:{'a' * MOST_BYTES}"), context(Capabilities(CARDS)))


class Zeroes(io.RawIOBase):
    """A picture that is nowhere in memory."""

    def __init__(self, size: int) -> None:
        self.left, self.head = size, b"\xff\xd8\xff"

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        size = self.left if size < 0 else min(size, self.left)
        self.left -= size
        head, self.head = self.head[:size], b""
        return head + bytes(size - len(head))


def pictured(size: int) -> Native:
    photo = '<t:AttachmentId Id="a"/><t:IsContactPhoto>true</t:IsContactPhoto>'
    attached = f"<t:Attachments><t:FileAttachment>{photo}</t:FileAttachment></t:Attachments>"
    native = record("contact", f"<t:Contact>{attached}</t:Contact>")

    def opened() -> BinaryIO:
        return Zeroes(size)  # type: ignore[return-value]

    return replace(native, properties={"Attachments": {"a": opened}})


@pytest.mark.parametrize("target", [OX, replace(OX, max_bytes=None, attachment_bytes=1 << 20)])
def test_a_picture_that_the_target_does_not_take_is_never_in_memory(target: Capabilities) -> None:
    native = pictured(300 << 20)
    tracemalloc.start()
    try:
        made = mapped(native, context(target))
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert "photo/too-large" in reasons(made)
    assert peak < 20 << 20


READERS = [
    path for room in ("calendar", "contacts", "from_ical") for path in (ROOT / "mappings" / room).glob("*.py")
]


@pytest.mark.parametrize("path", READERS, ids=lambda path: path.stem)
def test_what_reads_asks_nothing_of_the_target(path: Path) -> None:
    assert not {"Capabilities", "Context"} & set(re.findall(r"\w+", path.read_text()))
