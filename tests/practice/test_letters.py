"""The demo world holds every oddity: a table of oddity and what proves it."""

from __future__ import annotations

import email
import tracemalloc
import unicodedata
from collections import Counter
from collections.abc import Callable, Iterator
from email.message import Message as Parsed
from email.policy import compat32

import pytest
from practice_fixtures import world_fixture

from practice.mail.recipes import ODD_MARKS, ODDITIES, RECIPES
from practice.world.folders import Folder
from practice.world.messages import Message
from practice.world.world import World

Told = Callable[[Message, bytes], bool]
LARGE = 300_000
NUL = b"\0"


world = world_fixture(7, large=(LARGE,))


@pytest.fixture(scope="module")
def items(world: World) -> list[tuple[Message, bytes]]:
    mails = (item for address in world.addresses() for item in world.mailbox(address).messages())
    return [(item, item.mime()) for item in mails]


@pytest.fixture(scope="module")
def folders(world: World) -> list[Folder]:
    return [folder for address in world.addresses() for folder in world.mailbox(address).folders()]


def head(mime: bytes) -> bytes:
    return mime.partition(b"\r\n\r\n")[0]


def parsed(mime: bytes) -> Parsed:
    return email.message_from_bytes(mime, policy=compat32)


def types(mime: bytes) -> set[str]:
    return {part.get_content_type() for part in parsed(mime).walk()}


def has(fragment: bytes) -> Told:
    return lambda _, mime: fragment in mime


def of_class(name: str) -> Told:
    return lambda item, _: item.item_class == name


def of_type(name: str) -> Told:
    return lambda _, mime: name in types(mime)


def in_head(fragment: bytes) -> Told:
    return lambda _, mime: fragment in head(mime)


def category(name: str) -> Told:
    return lambda item, _: any(name in one for one in item.categories)


def year(number: int) -> Told:
    return lambda item, _: item.received is not None and item.received.year == number


ODD: dict[str, Told] = {
    "alternative": of_type("multipart/alternative"),
    "attachments": lambda item, _: item.has_attachments and len(item.attachments) > 1,
    "inline image": has(b"Content-ID: <image001.png@"),
    "message in message": of_type("message/rfc822"),
    "html alone": lambda _, mime: types(mime) == {"text/html"},
    "format=flowed": in_head(b"format=flowed"),
    "RFC 2047 over several words": in_head(b"?=\r\n =?utf-8?B?"),
    "RFC 2231 continuation": has(b"filename*1*="),
    "RFC 2231 name": has(b"filename*=utf-8''%C3"),
    "S/MIME detached": lambda item, mime: (
        item.item_class == "IPM.Note.SMIME.MultipartSigned" and "multipart/signed" in types(mime)
    ),
    "S/MIME encrypted": lambda item, mime: item.item_class == "IPM.Note.SMIME" and b"enveloped-data" in mime,
    "S/MIME opaque": lambda item, mime: item.item_class == "IPM.Note.SMIME" and b"signed-data" in head(mime),
    "PGP": of_type("multipart/encrypted"),
    "8-bit header": lambda _, mime: not head(mime).isascii(),
    "header without colon": in_head(b"\r\nthis line has no colon"),
    "header over 998 bytes": lambda _, mime: any(len(line) > 998 for line in head(mime).split(b"\r\n")),
    "no end of headers": lambda _, mime: b"\r\n\r\n" not in mime and b"\n\n" not in mime,
    "mbox separator": lambda _, mime: mime.startswith(b"From "),
    "no Message-ID": lambda item, mime: item.message_id is None and parsed(mime)["Message-ID"] is None,
    "NUL": lambda _, mime: NUL in mime,
    "bare LF only": lambda _, mime: b"\n" in mime and b"\r" not in mime,
    "bare CR": lambda _, mime: b"\rprogress" in mime,
    "no line end at the end": lambda _, mime: mime.endswith(b"four"),
    "line over 998 bytes": lambda _, mime: b"x" * 2000 in mime,
    "1970": lambda item, _: item.received is not None and item.received.timestamp() == 0,
    "before 1970": year(1965),
    "1601": year(1601),
    "future": year(2087),
    "no date": lambda item, mime: item.received is None and item.sent is None and b"\r\nDate:" not in mime,
    "empty body": lambda _, mime: mime.endswith(b"\r\n\r\n"),
    "no subject, nobody": lambda item, _: item.subject == "" and item.to == (),
    "wrong charset": in_head(b"us-ascii"),
    "unclosed multipart": lambda _, mime: b'boundary="b"' in mime and b"--b--" not in mime,
    "large": lambda _, mime: LARGE * 0.95 < len(mime) < LARGE * 1.05,
    "IMCEAEX": lambda item, mime: item.sender.routing == "EX" and b"<IMCEAEX-" in head(mime),
    "meeting request": of_class("IPM.Schedule.Meeting.Request"),
    "meeting accepted": of_class("IPM.Schedule.Meeting.Resp.Pos"),
    "meeting declined": of_class("IPM.Schedule.Meeting.Resp.Neg"),
    "meeting cancelled": of_class("IPM.Schedule.Meeting.Canceled"),
    "meeting method": has(b"method=REQUEST"),
    "NDR": lambda item, mime: item.item_class == "REPORT.IPM.Note.NDR" and "multipart/report" in types(mime),
    "read receipt report": of_class("REPORT.IPM.Note.IPNRN"),
    "delivery report": of_class("REPORT.IPM.Note.DR"),
    "note": of_class("IPM.StickyNote"),
    "journal": of_class("IPM.Activity"),
    "post": of_class("IPM.Post"),
    "draft": lambda item, mime: item.is_draft and b"Received:" not in mime,
    "category with umlaut": category("ü"),
    "category like a system flag": category("\\Seen"),
    "category with specials": category("]B%C*"),
    "category with emoji": category("📌"),
    "long category": lambda item, _: any(len(one) > 200 for one in item.categories),
    "many categories": lambda item, _: len(item.categories) > 10,
    "flagged": lambda item, _: item.flag_status == "Flagged",
    "complete": lambda item, _: item.flag_status == "Complete",
    "high": lambda item, _: item.importance == "High",
    "low": lambda item, _: item.importance == "Low",
    "replied": lambda item, _: item.last_verb == 102,
    "replied to all": lambda item, _: item.last_verb == 103,
    "forwarded": lambda item, _: item.last_verb == 104,
    "receipt wanted, unread": lambda item, _: item.read_receipt_requested,
    "unread": lambda item, _: not item.is_read,
}

FOLDERS: dict[str, Callable[[Folder], bool]] = {
    "slash": lambda folder: "/" in folder.name,
    "backslash": lambda folder: "\\" in folder.name,
    "trailing space": lambda folder: folder.name.endswith(" "),
    "250 characters": lambda folder: len(folder.name) == 250,
    "NFD": lambda folder: folder.name != unicodedata.normalize("NFC", folder.name),
    "leading dot": lambda folder: folder.name.startswith("."),
    "leading tilde": lambda folder: folder.name.startswith("~"),
    "inner dot": lambda folder: "." in folder.name[1:],
    "wildcards": lambda folder: "%" in folder.name and "*" in folder.name,
    "ampersand": lambda folder: "&" in folder.name,
    "called INBOX, and is not": lambda folder: folder.name == "INBOX" and folder.role is None,
    "outside the BMP": lambda folder: any(ord(char) > 0xFFFF for char in folder.name),
    "control character": lambda folder: "\t" in folder.name,
    "nested": lambda folder: len(folder.path) == 4,
    "hidden": lambda folder: folder.kind == "hidden",
    "search": lambda folder: folder.kind == "search",
    "German": lambda folder: (folder.role, folder.name) == ("inbox", "Posteingang"),
    "French": lambda folder: (folder.role, folder.name) == ("inbox", "Boîte de réception"),
    "calendar": lambda folder: (folder.role, folder.folder_class) == ("calendar", "IPF.Appointment"),
    "contacts": lambda folder: (folder.role, folder.folder_class) == ("contacts", "IPF.Contact"),
    "tasks": lambda folder: (folder.role, folder.folder_class) == ("tasks", "IPF.Task"),
    "notes": lambda folder: (folder.role, folder.folder_class) == ("notes", "IPF.StickyNote"),
}


@pytest.mark.parametrize("oddity", ODD)
def test_the_demo_world_has_mail(oddity: str, items: list[tuple[Message, bytes]]) -> None:
    assert any(ODD[oddity](item, mime) for item, mime in items)


@pytest.mark.parametrize("oddity", FOLDERS)
def test_the_demo_world_has_folders(oddity: str, folders: list[Folder]) -> None:
    assert any(FOLDERS[oddity](folder) for folder in folders)


def test_no_oddity_is_everywhere(items: list[tuple[Message, bytes]]) -> None:
    """A predicate that all mail fulfils would prove nothing."""
    for oddity, told in ODD.items():
        assert not all(told(item, mime) for item, mime in items), oddity


def test_every_recipe_and_every_mark_is_there(items: list[tuple[Message, bytes]]) -> None:
    assert set(ODDITIES) <= {item.recipe for item, _ in items}
    assert set(ODD_MARKS) <= {item.marks for item, _ in items}


def test_names_that_differ_only_by_case_lie_side_by_side(folders: list[Folder]) -> None:
    for folder in folders:
        names = Counter(child.name.lower() for child in folder.children)
        assert not names or max(names.values()) == 1
    roots = {id(folder.parent): folder.parent for folder in folders if folder.parent}
    assert any(
        len({child.name.lower() for child in root.children}) < len(root.children) for root in roots.values()
    )


def test_a_duplicate_is_the_same_bytes_in_the_same_folder(items: list[tuple[Message, bytes]]) -> None:
    count = Counter((item.folder.id, mime) for item, mime in items)
    assert max(count.values()) == 2
    assert len({item.id for item, _ in items}) == len(items)


@pytest.mark.parametrize("recipe", RECIPES)
def test_another_variant_means_the_same(recipe: str, world: World) -> None:
    mailbox = world.mailbox(world.addresses()[0])
    item = mailbox.deliver(mailbox.distinguished("junkemail"), recipe=recipe, size=3000)
    first, again = item.mime(), item.mime(variant=1)
    assert item.mime() == first
    assert list(meaning(again)) == list(meaning(first))


@pytest.mark.parametrize("recipe", ["plain", "alternative", "attachment", "ndr", "meeting_request"])
def test_another_variant_has_other_bytes(recipe: str, world: World) -> None:
    mailbox = world.mailbox(world.addresses()[0])
    item = mailbox.deliver(mailbox.distinguished("junkemail"), recipe=recipe)
    assert item.mime(variant=1) != item.mime()


def test_what_is_signed_is_never_rebuilt(world: World) -> None:
    mailbox = world.mailbox(world.addresses()[0])
    item = mailbox.deliver(mailbox.distinguished("junkemail"), recipe="smime_signed")
    bodies = [item.mime(variant).partition(b"\r\n\r\n")[2] for variant in (0, 1, 2)]
    assert bodies[0] == bodies[1] == bodies[2]


def meaning(mime: bytes) -> Iterator[object]:
    """Unfolded headers without boundaries, and decoded bodies, part by part."""
    for part in parsed(mime).walk():
        for name, value in part.items():
            if name != "Content-Type":
                yield name, " ".join(str(value).split())
        yield part.get_content_type(), part.get_content_charset()
        yield None if part.is_multipart() else part.get_payload(decode=True)


def test_the_stream_is_the_message(items: list[tuple[Message, bytes]]) -> None:
    for item, mime in items[::7]:
        with item.open() as stream:
            assert stream.read(10) + stream.read() == mime


def test_a_message_of_150_megabytes_is_never_whole_in_memory() -> None:
    world = World(7, people=1, items=0)
    mailbox = world.mailbox(world.addresses()[0])
    item = mailbox.deliver(mailbox.distinguished("inbox"), recipe="large", size=150_000_000)
    assert abs(item.size - 150_000_000) < 10_000
    tracemalloc.start()
    count = 0
    try:
        with item.open() as stream:
            while chunk := stream.read(1 << 20):
                count += len(chunk)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert abs(count - 150_000_000) < 10_000
    assert peak < 5_000_000


def test_the_large_attachment_is_what_the_mime_says(world: World) -> None:
    mailbox = world.mailbox(world.addresses()[0])
    item = mailbox.deliver(mailbox.distinguished("inbox"), recipe="large", size=200_000)
    files = [part.get_payload(decode=True) for part in parsed(item.mime()).walk() if part.get_filename()]
    assert files == [one.content for one in item.attachments]


def test_given_bytes_are_delivered_as_they_are(world: World) -> None:
    mailbox = world.mailbox(world.addresses()[0])
    mime = b"Subject: x\r\nMessage-ID: <1@x>\r\n\r\nNUL \0 and \n"
    item = mailbox.deliver(mailbox.distinguished("inbox"), mime=mime)
    assert (item.mime(), item.mime(1), item.subject, item.message_id) == (mime, mime, "x", "<1@x>")


def test_an_internal_sender_is_found_by_its_legacy_dn(
    items: list[tuple[Message, bytes]], world: World
) -> None:
    internal = [item for item, _ in items if item.recipe == "imceaex"]
    assert internal
    for item in internal:
        assert world.people.find_legacy(item.sender.address).name == item.sender.name


def test_what_a_letter_states_can_stand_in_xml(items: list[tuple[Message, bytes]]) -> None:
    """XML 1.0 has no NUL and no other control characters: a server could not even say them."""
    allowed = {"\t", "\n", "\r"}
    for item, _ in items:
        said = [item.subject, item.text, item.sender.name, *(one.name for one in item.attachments)]
        assert not any(ord(char) < 32 and char not in allowed for text in said for char in text)
