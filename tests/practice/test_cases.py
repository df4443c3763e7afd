"""The practice world's data: what lies in its folder is served and moved; what is wrong there is named."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from urllib.parse import unquote
from xml.etree import ElementTree

import httpx
import pytest
from imapclient import IMAPClient
from services import need_dovecot

from engine.assembly import build_leg
from engine.config.load import load
from engine.config.template import write_new
from engine.opening.open_sides import open_ledger
from engine.planning.load_plan import plan
from kogge.prepare.practice_servers import Stage, staged
from ledger.db.rows import LegState
from model.kinds import Kind
from practice.calendar.appointments import Party
from practice.calendar.event_desk import neighbour
from practice.calendar.icalendar_case import icalendar
from practice.calendar.series import Daily, Monthly, MonthlyOn, Recurrence, Weekly, Yearly, YearlyOn
from practice.calendar.timezones import BERLIN
from practice.contacts import groups
from practice.contacts.cards import Contact, Email, Place
from practice.contacts.groups import DistributionList
from practice.contacts.vcard_case import vcard
from practice.exchange.server import ExchangeServer
from practice.mail.letters import Attachment, Scene
from practice.mail.letters_file import letters
from practice.mail.letters_plain import plain
from practice.tasks.chores import Repeat
from practice.world import mailbox, population
from practice.world.case_records import chore, contact, event, sticky
from practice.world.cases import DATA, CaseError, made_of, tables
from practice.world.desk import SAMPLE, Desk
from practice.world.people import Directory
from practice.world.record_elements import ADDRESS, named, public
from practice.world.world import World

MAIL = b"""From: =?utf-8?Q?B=C3=BCrgerb=C3=BCro?= <buero@stadt.example>\r
To: Somebody <somebody@firma.example>, other@firma.example\r
Subject: =?utf-8?Q?Gr=C3=BC=C3=9Fe?=\r
Date: Tue, 03 Feb 2026 10:11:12 +0100\r
Message-ID: <one@stadt.example>\r
MIME-Version: 1.0\r
Content-Type: multipart/mixed; boundary=b\r
\r
--b\r
Content-Type: text/plain; charset=utf-8\r
\r
Guten Tag\r
--b\r
Content-Type: application/pdf; name="a.pdf"\r
Content-Disposition: attachment; filename="a.pdf"\r
Content-Transfer-Encoding: base64\r
\r
JVBERg==\r
--b--\r
"""
TEMPLATE = b"${head}\r\nX-Odd: ${owner.name}\r\n\r\n${text:300}"


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A copy of the data folder, to add to."""
    return Path(shutil.copytree(DATA, tmp_path / "data"))


def scene() -> Scene:
    people = Directory(7, 10)
    return Scene("one key", people.at(3), people)


def test_a_mail_dropped_into_the_folder_says_what_it_is(data: Path) -> None:
    (data / "letters" / "my-mail.eml").write_bytes(MAIL)
    found = letters({"duplicate": plain}, data)
    assert list(found)[-1] == "my-mail"
    letter = found["my-mail"].recipe(scene())
    assert letter.mime() == letter.mime(1) == MAIL
    assert (letter.subject, letter.message_id) == ("Grüße", "<one@stadt.example>")
    assert (letter.sender.name, letter.sender.address) == ("Bürgerbüro", "buero@stadt.example")
    assert [one.address for one in letter.to] == ["somebody@firma.example", "other@firma.example"]
    assert letter.sent is not None
    assert letter.sent.isoformat() == "2026-02-03T10:11:12+01:00"
    assert letter.words().strip() == "Guten Tag"
    assert [(one.name, one.content) for one in letter.attachments()] == [("a.pdf", b"%PDF")]


def test_a_mail_with_places_is_one_of_the_mailbox_s_own(data: Path) -> None:
    (data / "letters" / "my-mail.eml").write_bytes(TEMPLATE)
    letter = letters({"duplicate": plain}, data)["my-mail"].recipe(scene())
    assert b"\r\nX-Odd: " + scene().owner.name.encode() in letter.mime()
    assert letter.mime().startswith(b"Received: ")
    assert letter.words() == letter.mime().partition(b"\r\n\r\n")[2].decode()


@pytest.fixture
def stage(data: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Stage]:
    """A practice Exchange with one person, to whom the dropped letters fall as well."""
    (data / "letters" / "my-mail.eml").write_bytes(MAIL)
    (data / "letters" / "my-template.eml").write_bytes(TEMPLATE)
    added = {name: one.recipe for name, one in letters({"duplicate": plain}, data).items() if not one.listed}
    for name, recipe in added.items():
        monkeypatch.setitem(mailbox.RECIPES, name, recipe)
    monkeypatch.setattr(population, "ODDITIES", tuple(name for name in added for _ in range(5)))
    need_dovecot()
    with staged(ExchangeServer(World(7, people=1, items=40, large=())), 1) as place:
        yield place


def test_what_was_dropped_is_moved(stage: Stage, tmp_path: Path) -> None:
    write_new(tmp_path / "run", stage.files(required=0))
    config = load(tmp_path / "run" / "kogge.toml")
    ledger = open_ledger(config)
    (mailbox_id,) = plan(config, ledger).ids
    (leg,) = ledger.legs(mailbox=mailbox_id, workload=Kind.MAIL)
    result = build_leg(config, leg.id).run()
    assert result.state is LegState.VERIFIED
    bodies = set(delivered(stage))
    assert MAIL in bodies
    assert any(b"\r\nX-Odd: " in body for body in bodies)


def test_records_that_were_dropped_are_moved(data: Path, tmp_path: Path) -> None:
    (data / "contacts" / "ada.vcf").write_text(VCARD)
    (data / "events" / "board.ics").write_text(ICALENDAR)
    (data / "tasks" / "mine.toml").write_text(TASK)
    forms = {".vcf": vcard, ".ics": icalendar}
    server = ExchangeServer(World(7, people=1, items=1, nasty=False))
    with staged(server, 1) as stage:
        box = server.world.mailbox(stage.addresses[0])
        for role, kind, name in (
            ("contacts", "contacts", "ada"),
            ("calendar", "events", "board"),
            ("tasks", "tasks", "file_it"),
        ):
            generated = {"long_notes": contact_of_none} if kind == "contacts" else {}
            made = made_of(kind, MAKERS[kind], generated, SAMPLE, data, forms)
            box.put(box.distinguished(role), made[name](SAMPLE))
        write_new(tmp_path / "run", stage.files(required=0))
        config = load(tmp_path / "run" / "kogge.toml")
        ledger = open_ledger(config)
        (mailbox_id,) = plan(config, ledger).ids
        for workload in (Kind.CONTACTS, Kind.CALENDAR, Kind.TASKS):
            (leg,) = ledger.legs(mailbox=mailbox_id, workload=workload)
            assert build_leg(config, leg.id).run().state is LegState.VERIFIED
        texts = "".join(objects(stage))
    assert "\nFN:Dr. Ada Lund" in texts
    assert "SUMMARY:Beirat" in texts
    assert "SUMMARY:Später" in texts
    assert "SUMMARY:Ablegen" in texts


def objects(stage: Stage) -> Iterator[str]:
    """Every contact and calendar object that the person has at the target, unfolded."""
    with httpx.Client(auth=(stage.addresses[0], stage.dav_password), base_url=stage.dav) as client:
        todo = [f"/{stage.addresses[0]}/"]
        while todo:
            here = todo.pop()
            reply = client.request("PROPFIND", here, headers={"Depth": "1"})
            for href in ElementTree.fromstring(reply.content).iterfind("{DAV:}response/{DAV:}href"):
                path = unquote(str(href.text))
                if path.endswith("/") and path != here:
                    todo.append(path)
                elif not path.endswith("/"):
                    yield client.get(str(href.text)).text.replace("\r\n ", "").replace("\r\n", "\n")


def delivered(stage: Stage) -> Iterator[bytes]:
    """Every mail that the person has at the target."""
    with IMAPClient(stage.imap_host, port=stage.imap_port, ssl=False) as client:
        client.login(f"{stage.addresses[0]}*{stage.master}", stage.master_password)
        for _, _, folder in client.list_folders():
            client.select_folder(folder, readonly=True)
            if uids := client.search():
                yield from (row[b"BODY[]"] for row in client.fetch(uids, ["BODY.PEEK[]"]).values())


CONTACT = """
[somebody]
given = "Ada"
surname = "of ${owner.family}"
phones.MobilePhone = "+49 170 1"
emails = [false, { address = "ada@firma.example" }]
common.properties = [{ name = "Number", value = 7 }, { set = "address", id = 0x8035, value = "x" }]
common.attachments = [
  { name = "a.txt", content_type = "text/plain", text = { text = "ab", times = 3, end = "c" } },
]
"""
EVENT = """
[retreat]
base.subject = "Klausur"
start = 2027-03-01T09:00:00
minutes = 90
zone = "Tokyo Standard Time"
recurrence = { weekly = { weekdays = ["Monday", "Friday"] }, count = 5 }
required = [
  { who = "neighbour1", answer = "Accept" },
  { repeat = 2, name = "Guest ${n:2}", address = "g${n}@x.example" },
]
deleted = [2027-03-05]
changed = [
  { day = 2027-03-08, base = { subject = "Später" }, start = 2027-03-08T11:00:00, end = 2027-03-08T12:00:00 },
]
"""
TASK = """
[file_it]
common.subject = "Ablegen"
status = "Completed"
percent = 100
due = 2027-02-03T00:00:00Z
repeat = { frequency = "Weekly", start = 2027-02-03, end = 4 }
"""
NOTE = "[short]\nbody = 'Nur kurz'\ncolour = false\n"


def test_a_contact_dropped_into_the_folder(data: Path) -> None:
    (data / "contacts" / "mine.toml").write_text(CONTACT)
    made = made_of("contacts", contact, {"long_notes": contact_of_none}, SAMPLE, data)
    assert list(made)[-1] == "somebody"
    desk = Desk(7, 3, "card/somebody")
    one = made["somebody"](desk)
    assert (one.key, one.given, one.surname) == (desk.key, "Ada", f"of {desk.owner.family}")
    assert one.phones == (("MobilePhone", "+49 170 1"),)
    assert one.emails == (None, Email("ada@firma.example"))
    assert one.common.properties == (public("Number", 7), named(ADDRESS, 0x8035, "x"))
    assert one.common.attachments == (Attachment("a.txt", "text/plain", b"abababc"),)


def contact_of_none(desk: Desk) -> Contact:
    return Contact(desk.key)


def test_an_event_dropped_into_the_folder(data: Path) -> None:
    (data / "events" / "mine.toml").write_text(EVENT)
    made = made_of("events", event, {}, SAMPLE, data)
    desk = Desk(7, 3, "event/retreat")
    one = made["retreat"](desk)
    assert one.begins == datetime(2027, 3, 1, tzinfo=UTC)
    assert one.finishes - one.begins == timedelta(minutes=90)
    assert [party.name for party in one.required] == [neighbour(desk, 1).name, "Guest 00", "Guest 01"]
    assert [party.address for party in one.required[1:]] == ["g0@x.example", "g1@x.example"]
    days = [1, 8, 12, 15]
    assert [day.day for day in one.days()] == days
    later = one.instance(date(2027, 3, 8))
    assert (later.common.subject, later.begins) == ("Später", datetime(2027, 3, 8, 2, tzinfo=UTC))


def test_a_task_and_a_note_dropped_into_the_folder(data: Path) -> None:
    (data / "tasks" / "mine.toml").write_text(TASK)
    (data / "notes" / "mine.toml").write_text(NOTE)
    desk = Desk(7, 3, "one")
    task = made_of("tasks", chore, {}, SAMPLE, data)["file_it"](desk)
    assert (task.common.subject, task.status, task.due) == (
        "Ablegen",
        "Completed",
        datetime(2027, 2, 3, tzinfo=UTC),
    )
    assert task.repeat == Repeat("Weekly", date(2027, 2, 3), 4)
    note = made_of("notes", sticky, {}, SAMPLE, data)["short"](desk)
    assert (note.common.body, note.common.properties) == ("Nur kurz", ())


LIST = """
[crew]
name = "Mannschaft"
members = [
  { contacts = 2 },
  { list = "deck", name = "Deck" },
  { name = "Ute", address = "ute@hafen.example" },
]

[crew.deck]
name = "Deck"
members = [{ repeat = 3, name = "Matrose ${n}", address = "m${n:2}@hafen.example" }]
"""


def test_a_list_dropped_into_the_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "lists").mkdir()
    (tmp_path / "lists" / "mine.toml").write_text(LIST)
    monkeypatch.setattr(groups, "_CASES", groups.cases(tmp_path))
    cards = [Contact(f"card/{name}", given=name) for name in ("Ada", "Bo", "Cy")]
    made = [one for one in groups.sample_groups(7, 0, cards) if isinstance(one, DistributionList)]
    assert [one.name for one in made] == ["Deck", "Mannschaft"]
    deck, crew = made
    assert [one.address for one in deck.members] == [f"m0{n}@hafen.example" for n in range(3)]
    assert [(one.name, one.kind, one.key) for one in crew.members] == [
        ("Ada", "Contact", "card/Ada"),
        ("Bo", "Contact", "card/Bo"),
        ("Deck", "PrivateDL", deck.key),
        ("Ute", "OneOff", None),
    ]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "[a]\nname = 'A'\nmembers = [{ adress = 'x' }]",
            "a.members.0.adress: is no field; there ",
        ),
        ("[a.b]\nmembers = []", "lists/mine.toml: a.b.name: is missing"),
    ],
)
def test_a_wrong_list_is_named_with_its_field(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "lists").mkdir()
    (tmp_path / "lists" / "mine.toml").write_text(text)
    with pytest.raises(CaseError, match=re.escape(message)):
        groups.cases(tmp_path)


@dataclass(frozen=True)
class Names:
    names: tuple[str, ...]


def test_a_table_of_constants_is_read_and_checked(tmp_path: Path) -> None:
    (tmp_path / "people").mkdir()
    file = tmp_path / "people" / "1-names.toml"
    file.write_text("[de]\nnames = ['Ute', { text = 'a', times = 3 }]\n")
    assert tables("people", Names, tmp_path) == {"de": Names(("Ute", "aaa"))}
    file.write_text("[de]\nname = 'Ute'\n")
    with pytest.raises(CaseError, match=r"people/1-names.toml: de.name: is no field; there are names"):
        tables("people", Names, tmp_path)


VCARD = """BEGIN:VCARD
VERSION:3.0
N:Lund;Ada;;Dr.;
FN:Dr. Ada Lund
item1.EMAIL;TYPE=INTERNET:ada@hafen.example
TEL;TYPE=WORK,VOICE:+49 1
TEL;TYPE="work,fax":+49 2
TEL;CELL:3
ADR;TYPE=HOME:;;Weg 1;Kiel;;24103;DE
ORG:Hafen\\; Nord;Bau
BDAY:1980-02-29
NOTE:eins\\nzwei
CATEGORIES:A,B\\,C
X-SKYPE:ada
PHOTO;ENCODING=b;TYPE=PNG:aGFs
 bG8=
END:VCARD
"""
ICALENDAR = """BEGIN:VCALENDAR
VERSION:2.0
PRODID:x
BEGIN:VEVENT
UID:a@b
DTSTAMP:20260101T000000Z
DTSTART;TZID=Europe/Berlin:20270301T090000
DTEND;TZID=Europe/Berlin:20270301T103000
RRULE:FREQ=MONTHLY;BYDAY=1MO;COUNT=5
EXDATE;TZID=Europe/Berlin:20270405T090000
SUMMARY:Beirat
CATEGORIES:A,B
ORGANIZER;CN=Chef:mailto:chef@hafen.example
ATTENDEE;CN=Anna;PARTSTAT=ACCEPTED:mailto:anna@hafen.example
BEGIN:VALARM
ACTION:DISPLAY
TRIGGER:-PT15M
END:VALARM
END:VEVENT
BEGIN:VEVENT
UID:a@b
DTSTAMP:20260101T000000Z
RECURRENCE-ID;TZID=Europe/Berlin:20270503T090000
DTSTART;TZID=Europe/Berlin:20270504T090000
DTEND;TZID=Europe/Berlin:20270504T103000
SUMMARY:Später
END:VEVENT
END:VCALENDAR
"""
ONE_DAY = """BEGIN:VCALENDAR
BEGIN:VEVENT
UID:c
DTSTART;VALUE=DATE:20270301
SUMMARY:Feiertag
END:VEVENT
END:VCALENDAR
"""


def test_a_vcard_dropped_into_the_folder(tmp_path: Path) -> None:
    (tmp_path / "contacts").mkdir()
    (tmp_path / "contacts" / "ada.vcf").write_text(VCARD)
    one = made_of("contacts", contact, {}, SAMPLE, tmp_path, {".vcf": vcard})["ada"](SAMPLE)
    assert (one.title, one.given, one.surname, one.display) == ("Dr.", "Ada", "Lund", "Dr. Ada Lund")
    assert (one.company, one.department) == ("Hafen; Nord", "Bau")
    assert one.emails == (Email("ada@hafen.example", routing="SMTP"),)
    assert one.phones == (("BusinessPhone", "+49 1"), ("BusinessFax", "+49 2"), ("MobilePhone", "3"))
    assert one.places == (("Home", Place("Weg 1", "Kiel", country="DE", code="24103")),)
    assert one.birthday == datetime(1980, 2, 29, 11, 59, tzinfo=UTC)
    assert (one.common.body, one.common.categories) == ("eins\r\nzwei", ("A", "B,C"))
    assert one.common.properties == (public("X-SKYPE", "ada"),)
    assert one.common.attachments == (
        Attachment("ContactPicture.jpg", "image/png", b"hallo", contact_photo=True),
    )


def test_an_icalendar_file_dropped_into_the_folder(tmp_path: Path) -> None:
    (tmp_path / "events").mkdir()
    (tmp_path / "events" / "board.ics").write_text(ICALENDAR)
    (tmp_path / "events" / "day.ics").write_text(ONE_DAY)
    made = made_of("events", event, {}, SAMPLE, tmp_path, {".ics": icalendar})
    one, day = made["board"](SAMPLE), made["day"](SAMPLE)
    assert (one.uid, one.begins, one.zone) == ("a@b", datetime(2027, 3, 1, 8, tzinfo=UTC), BERLIN)
    assert one.finishes - one.begins == timedelta(minutes=90)
    assert one.recurrence == Recurrence(MonthlyOn("Monday", "First"), count=5)
    assert one.deleted == (date(2027, 4, 5),)
    later = one.instance(date(2027, 5, 3))
    assert (later.common.subject, later.start) == ("Später", datetime(2027, 5, 4, 9))
    assert (one.base.reminder, one.base.categories) == (15, ("A", "B"))
    assert one.organizer == Party("Chef", "chef@hafen.example", kind="OneOff", answer="Organizer")
    assert one.required == (Party("Anna", "anna@hafen.example", kind="OneOff", answer="Accept"),)
    assert (day.all_day, day.start, day.end) == (True, datetime(2027, 3, 1), datetime(2027, 3, 2))


def test_categories_may_stand_on_several_lines(tmp_path: Path) -> None:
    (tmp_path / "events").mkdir()
    text = ONE_DAY.replace("SUMMARY", "CATEGORIES:A,B\nCATEGORIES:C\nSUMMARY")
    (tmp_path / "events" / "one.ics").write_text(text)
    one = made_of("events", event, {}, SAMPLE, tmp_path, {".ics": icalendar})["one"](SAMPLE)
    assert one.base.categories == ("A", "B", "C")


RULES = {
    "FREQ=DAILY;INTERVAL=2": Daily(2),
    "FREQ=WEEKLY;BYDAY=TU,SU;WKST=SU": Weekly((1, 6), 1, 6),
    "FREQ=WEEKLY": Weekly((0,)),
    "FREQ=MONTHLY;BYMONTHDAY=15": Monthly(15),
    "FREQ=MONTHLY;BYDAY=MO,TU,WE,TH,FR;BYSETPOS=-1": MonthlyOn("Weekday", "Last"),
    "FREQ=YEARLY": Yearly(1, 3),
    "FREQ=YEARLY;BYMONTH=11;BYDAY=4TH": YearlyOn("Thursday", "Fourth", 11),
}


@pytest.mark.parametrize("rule", RULES)
def test_a_rule_is_a_pattern_of_exchange(tmp_path: Path, rule: str) -> None:
    (tmp_path / "events").mkdir()
    text = ONE_DAY.replace("SUMMARY", f"RRULE:{rule}\nSUMMARY")
    (tmp_path / "events" / "one.ics").write_text(text)
    one = made_of("events", event, {}, SAMPLE, tmp_path, {".ics": icalendar})["one"](SAMPLE)
    assert one.recurrence == Recurrence(RULES[rule])


FOREIGN = (
    ("contacts/a.vcf", "N:x", "contacts/a.vcf: must hold one vCard"),
    ("contacts/a.vcf", "BEGIN:VCARD\nnonsense\nEND:VCARD", "a.vcf: has a line without a colon, number 2"),
    ("contacts/a.vcf", "BEGIN:VCARD\nBDAY:soon\nEND:VCARD", "a.vcf: BDAY: must be a day"),
    ("contacts/a.vcf", "BEGIN:VCARD\nBDAY:19800230\nEND:VCARD", "a.vcf: BDAY: is no day that there is"),
    ("contacts/a.vcf", "BEGIN:VCARD\nTEL;CELL:1\nTEL;CELL:2\nEND:VCARD", "a.vcf: TEL: is one more than"),
    ("contacts/a.vcf", "BEGIN:VCARD\nPHOTO:http://x.example/a\nEND:VCARD", "PHOTO: must be in the file"),
    ("contacts/a.vcf", "BEGIN:VCARD\nPHOTO:###\nEND:VCARD", "attachments.0.base64: is no base64"),
    ("events/a.ics", "BEGIN:VCALENDAR\nEND:VCALENDAR", "events/a.ics: must hold one event, not 0"),
    ("events/a.ics", "nonsense", "events/a.ics: is no iCalendar"),
    ("events/a.ics", ONE_DAY.replace("DTSTART;VALUE=DATE:20270301\n", ""), "a.ics: DTSTART: is missing"),
    (
        "events/a.ics",
        ONE_DAY.replace("SUMMARY", "RRULE:FREQ=YEARLY;BYWEEKNO=20\nSUMMARY"),
        "a.ics: RRULE: has what Exchange cannot say: BYWEEKNO",
    ),
    (
        "events/a.ics",
        ONE_DAY.replace("SUMMARY", "RRULE:FREQ=HOURLY\nSUMMARY"),
        "a.ics: RRULE: is no pattern of Exchange",
    ),
    (
        "events/a.ics",
        ONE_DAY.replace("SUMMARY", "DURATION:broken\nSUMMARY"),
        "a.ics: DURATION: cannot be read",
    ),
    ("events/a.ics", ONE_DAY.replace("SUMMARY", "DTEND:x\nSUMMARY"), "a.ics: DTEND: cannot be read"),
    ("events/a.ics", ONE_DAY.replace("SUMMARY", "DTEND:20270301T100000\nSUMMARY"), "a.ics: DTEND: is a time"),
    ("events/a.ics", ONE_DAY.replace("SUMMARY", 2 * "DURATION:PT1H\n" + "SUMMARY"), "DURATION: stands there"),
    ("events/a.ics", ONE_DAY.replace("SUMMARY", "RRULE:FREQ=DAILY\nEXDATE:x\nSUMMARY"), "a property that"),
    (
        "events/a.ics",
        ICALENDAR.replace("Europe/Berlin", "Pacific/Apia"),
        "a.ics: DTSTART: has a zone that the practice world does not know",
    ),
)


@pytest.mark.parametrize(("name", "text", "message"), FOREIGN, ids=[one[2][:40] for one in FOREIGN])
def test_what_exchange_cannot_say_is_named(tmp_path: Path, name: str, text: str, message: str) -> None:
    path = tmp_path / name
    path.parent.mkdir()
    path.write_text(text)
    kind = path.parent.name
    with pytest.raises(CaseError, match=re.escape(message)):
        made_of(kind, MAKERS[kind], {}, SAMPLE, tmp_path, {".vcf": vcard, ".ics": icalendar})


AT = "start = 2027-01-01T09:00:00"
BAD = (
    ("contacts", "surnam = 'x'", "a.surnam: is no field; there are alias, "),
    ("contacts", "emails = [{name = 'x'}]", "a.emails.0.address: is missing"),
    ("contacts", "given = 3", "a.given: must be a text"),
    ("contacts", "given = '${me.name}'", "a.given: has a place that means nothing here: ${me.name}"),
    ("contacts", "emails = 'x'", "a.emails: must be a list"),
    ("contacts", "key = 'x'", "a.key: is no field"),
    ("contacts", "birthday = 2020-01-01", "a.birthday: must be a date and time"),
    ("contacts", "birthday = 2020-01-01T00:00:00", "a.birthday: must say of which zone it is"),
    ("contacts", "common.sensitivity = 'secret'", "a.common.sensitivity: must be one of Normal, Personal"),
    ("contacts", "common.properties = [{value = 1}]", "a.common.properties.0: must have a tag"),
    ("contacts", "common.attachments = [{name = 'x'}]", "a.common.attachments.0: must have one of text"),
    ("contacts", "common = 3", "a.common: must be a table"),
    ("contacts", "places.Castle = {}", "a.places.0.0: must be one of Business, Home, Other"),
    ("events", "", "events/mine.toml: a.start: is missing"),
    ("events", "start = 2027-01-01", "a.start: must be a date and time of the event's zone"),
    ("events", "start = 2027-01-01T09:00:00Z", "a.start: must be a date and time of the event's zone"),
    ("events", f"{AT}\nzone = 'Mars'", "a.zone: is no zone; there are UTC, "),
    ("events", f"{AT}\nrecurrence = {{}}", "a.recurrence: must have one of daily"),
    ("events", f"{AT}\nrecurrence.weekly.weekdays = ['Mon']", "a.recurrence.weekly.weekdays: is no weekday"),
    ("events", f"{AT}\nrequired = [{{who = 'me'}}]", "a.required.0.who: is no one"),
    ("events", f"{AT}\nchanged = [{{}}]", "a.changed.0.day: is missing"),
    ("tasks", "status = 'done'", "a.status: must be one of NotStarted, "),
    ("notes", "size = [1]", "a.size: must have 2 elements"),
)
MAKERS = {"contacts": contact, "events": event, "tasks": chore, "notes": sticky}


@pytest.mark.parametrize(("kind", "text", "message"), BAD, ids=[one[2][:30] for one in BAD])
def test_a_wrong_case_is_named_with_its_field(tmp_path: Path, kind: str, text: str, message: str) -> None:
    (tmp_path / kind).mkdir()
    (tmp_path / kind / "mine.toml").write_text(f"[a]\n{text}\n")
    with pytest.raises(CaseError, match=re.escape(message)):
        made_of(kind, MAKERS[kind], {}, SAMPLE, tmp_path)


LISTED = "letters.toml"
WRONG = (
    (LISTED, "[no_colon]\nsubjct = 'x'\n", "letters.toml: no_colon.subjct: is no field; there are body, "),
    (LISTED, "[no_colon]\ndated = 'today'\n", "letters.toml: no_colon.dated: must be a date and time"),
    (LISTED, "[no_colon]\nto = 'all'\n", "letters.toml: no_colon.to: must be one of owner, nobody"),
    (LISTED, "[no_colon]\nfixed = 1\n", "letters.toml: no_colon.fixed: must be true or false"),
    (LISTED, "[none_such]\n", "letters.toml: none_such.file: there is no such file"),
    (
        LISTED,
        "[no_colon]\nsubject = '${me.x}'\n",
        "no_colon.subject: has a place that means nothing here: ${me.x}",
    ),
    (LISTED, "[ndr]\nsender = {name = 'A'}\n", "letters.toml: ndr.sender.address: is missing"),
    (LISTED, "no_colon = 3\n", "letters.toml: no_colon: is no table"),
    (LISTED, "[no_colon\n", "letters/letters.toml: is no TOML"),
    ("mine.toml", "[no_colon]\n", "mine.toml: no_colon: is in letters.toml already"),
    (
        "mine.eml",
        "${head}\nX-A: ${nobody.name}\n\n",
        "letters/mine.eml:2: has a place that means nothing here: ${nobody.name}",
    ),
    (
        "mine.eml",
        "${head}\r\n\r\nDear all,\r\n${nonsense}\r\n",
        "letters/mine.eml:4: has a place that means nothing here: ${nonsense}",
    ),
    ("mine.eml", "X-A: 1\n${head}\nSubject: two\n\nx", "letters/mine.eml:3: Subject is written by ${head}"),
    ("no_colon.eml", "${head}\r\nDATE: now\r\n\r\n", "letters/no_colon.eml:2: DATE is written by ${head}"),
    ("no_colon.eml", "${head}\n\n${nonsense}", "letters/no_colon.eml:3: has a place that means nothing here"),
    ("future.eml", "Subject: x\n\n", "future.eml: letters.toml has another letter of this name"),
)


@pytest.mark.parametrize(("name", "text", "message"), WRONG, ids=[one[2][-30:] for one in WRONG])
def test_a_wrong_letter_is_named_with_its_field(data: Path, name: str, text: str, message: str) -> None:
    (data / "letters" / name).write_text(text)
    with pytest.raises(CaseError, match=re.escape(message)):
        letters({"duplicate": plain}, data)
