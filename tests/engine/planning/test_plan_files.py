"""The files that planning reads: relations, the inventory, waves.csv, a list without waves."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, datetime
from pathlib import Path

import pytest

from engine.config.load import load
from engine.planning.mailbox_list import Person, read_mailboxes
from engine.planning.relations import belonging, read_relations
from engine.planning.size_estimates import fingerprint, read_inventory, sizes
from engine.planning.throughput_estimate import Load
from engine.planning.waves_csv import WaveLine, read_waves, written
from ledger.views.sizes import Amount
from model.errors import Misconfigured
from model.kinds import KINDS, Kind

Write = Callable[[str, str], Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    def put(name: str, text: str) -> Path:
        (tmp_path / name).write_text(text)
        return tmp_path / name

    return put


def faults(read: Callable[..., object], *arguments: object) -> list[str]:
    with pytest.raises(Misconfigured) as caught:
        read(*arguments)
    return caught.value.advice.splitlines()


def listed(write: Write, *names: str) -> tuple[Person, ...]:
    rows = [f"{name}@old.example,{name}@new.example" for name in names]
    return read_mailboxes(write("mailboxes.csv", "\n".join(["source,target", *rows])), unplanned=True)


# The configuration


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ('timezone = "Mars/Olympus"', "plan.timezone: give a time zone like Europe/Berlin"),
        ('window = "the night"', "plan.window: give the name of one of [windows]"),
        ("mailboxes = 0", "plan.mailboxes: give 1 or more"),
        ("wave = 3", "plan.wave: unknown; did you mean waves?"),
        ("rates = { mail = 0 }", "plan.rates.mail: give a number above 0"),
    ],
)
def test_faults_of_the_settings(write: Write, line: str, told: str) -> None:
    server = 'kind = "imap"\nhost = "localhost"\npassword = { env = "X" }\n'
    path = write("kogge.toml", f"[source]\n{server}[target.mail]\n{server}[plan]\n{line}\n")
    (fault,) = faults(load, path)
    assert fault == f"kogge.toml:10: {told}"


def test_a_date_is_a_date(write: Write) -> None:
    server = 'kind = "imap"\nhost = "localhost"\npassword = { env = "X" }\n'
    path = write("kogge.toml", f"[source]\n{server}[target.mail]\n{server}[plan]\nfirst = 2027-01-16\n")
    assert load(path).plan.first == date(2027, 1, 16)


# The list


def test_a_list_may_lack_waves_where_planning_looks_at_it(write: Write) -> None:
    path = write("mailboxes.csv", "source,target,wave\na@x,a@y,\nb@x,b@y,w1\n")
    assert [one.wave for one in read_mailboxes(path, unplanned=True)] == ["", "w1"]
    assert faults(read_mailboxes, path) == [
        "mailboxes.csv:2: wave: is empty; `kogge plan --write` fills it in"
    ]


def test_a_wave_that_is_none_is_refused_all_the_same(write: Write) -> None:
    path = write("mailboxes.csv", "source,target,wave\na@x,a@y,no wave\n")
    with pytest.raises(Misconfigured):
        read_mailboxes(path, unplanned=True)


# Relations


def test_who_belongs_together_is_known_by_any_name(write: Write) -> None:
    people = listed(write, "anna", "bert", "carl", "pool")
    path = write(
        "relations.csv",
        "person;department;manager;delegates;shared\n"
        "Anna@OLD.example;Bau  amt;carl@old.example;bert@new.example|nobody@old.example;pool@old.example\n"
        "bert@old.example;;anna@old.example;;\n"
        "carl@old.example;;;bert@old.example carl@old.example;\n"
        "gone@old.example;Bauamt;;anna@old.example;\n",
    )
    found = belonging(read_relations(path), people)
    a, b, c, pool = (one.source for one in people)
    assert found.links == {(a, b), (a, pool), (c, b)}
    assert found.departments == {a: "Bau amt", b: "Bau amt"}
    assert found.unknown == (2, 5)


def test_a_person_may_have_several_rows_that_agree(write: Write) -> None:
    people = listed(write, "anna", "bert", "carl")
    rows = [
        "person,department,delegates",
        "anna@old.example,A,bert@old.example",
        "anna@old.example,,carl@old.example",
    ]
    text = "\n".join(rows)
    found = belonging(read_relations(write("relations.csv", text)), people)
    a, b, c = (one.source for one in people)
    assert (found.links, found.departments) == ({(a, b), (a, c)}, {a: "A"})


def test_staff_without_a_department_belong_to_their_manager(write: Write) -> None:
    people = listed(write, "anna", "bert", "boss")
    text = "person,manager\nanna@old.example,boss@new.example\nbert@old.example,boss@old.example\n"
    found = belonging(read_relations(write("relations.csv", text)), people)
    a, b, boss = (one.source for one in people)
    assert found.departments == {a: boss, b: boss}


def test_a_site_may_belong_to_a_department(write: Write) -> None:
    path = write("mailboxes.csv", "source,target\nsite:x.sharepoint.com:/sites/a,svc\n")
    people = read_mailboxes(path, unplanned=True)
    text = "person,department\nsite:X.sharepoint.com:/sites/a,Bauamt\n"
    found = belonging(read_relations(write("relations.csv", text)), people)
    assert found.departments == {people[0].source: "Bauamt"}


def test_all_faults_of_relations_at_once(write: Write) -> None:
    rows = [
        "anna,A,,,",
        ",A,,,",
        "a@x,A,boss,,",
        "b@x,A,,c@x d,",
        "c@x,A,,,d@x|e",
        "d@x,A,a@x,,",
        "d@x,B,b@x,,",
        "site:nowhere,A,,,",
        "e@x,A,,,,more",
    ]
    path = write("relations.csv", "\n".join(["person,department,manager,delegates,shared", *rows]))
    assert faults(read_relations, path) == [
        "relations.csv:2: person: not an e-mail address",
        "relations.csv:3: person: is empty",
        "relations.csv:4: manager: not an e-mail address",
        "relations.csv:5: delegates: not e-mail addresses, separated by blanks or |",
        "relations.csv:6: shared: not e-mail addresses, separated by blanks or |",
        "relations.csv:8: department: line 7 gives this person another",
        "relations.csv:8: manager: line 7 gives this person another",
        "relations.csv:9: person: not site:HOST:/sites/NAME or site:HOST:/sites/NAME:LIBRARY",
        "relations.csv:10: has more cells than the 5 columns",
    ]


def test_a_misspelt_column_of_relations_is_no_column_less(write: Write) -> None:
    path = write("relations.csv", "person,delegate\na@x,b@x\n")
    assert faults(read_relations, path) == ["relations.csv:1: column 2: unknown; did you mean delegates?"]


# Sizes


def test_an_inventory_knows_its_rows_though_lines_moved(write: Write) -> None:
    anna, bert = listed(write, "anna", "bert")
    text = f"line,mailbox,items,bytes,code,mail,mail bytes\n2,{fingerprint(bert)},7,70,,7,70\n"
    found = read_inventory(write("inventory.csv", text), (anna, bert))
    assert set(found) == {bert.source}
    assert (found[bert.source].all_items, found[bert.source].all_bytes) == (7, 70)


def test_an_inventory_without_names_goes_by_lines_and_shares_bytes(write: Write) -> None:
    (anna,) = listed(write, "anna")
    text = "line,items,bytes,code,mail,contacts\n2,11,753000,,10,1\n3,5,5,,5,0\n"
    found = read_inventory(write("inventory.csv", text), (anna,))[anna.source]
    assert found.items[Kind.MAIL] == 10
    assert (found.bytes[Kind.MAIL], found.bytes[Kind.CONTACTS]) == (750_000, 3_000)


def test_what_broke_off_is_not_known(write: Write) -> None:
    (anna,) = listed(write, "anna")
    text = "line,items,bytes,code,mail\n2,11,753000,mailbox-missing,10\n"
    assert read_inventory(write("inventory.csv", text), (anna,)) == {}


def test_faults_of_an_inventory(write: Write) -> None:
    path = write("inventory.csv", "line,items,bytes,code,mail\n2,many,-1,,10\n")
    assert faults(read_inventory, path, ()) == [
        "inventory.csv:2: bytes: give a whole number",
        "inventory.csv:2: items: give a whole number",
    ]


def test_the_ledger_goes_before_the_inventory_and_the_median_comes_last(write: Write) -> None:
    people = listed(write, "anna", "bert", "carl", "dora", "emil")
    a, b, c, d, e = (one.source for one in people)
    inventory = {
        a: Load({Kind.MAIL: 1, Kind.CALENDAR: 5}, {Kind.MAIL: 10, Kind.CALENDAR: 50}),
        b: Load({Kind.MAIL: 20, Kind.CALENDAR: 6}, {Kind.MAIL: 200, Kind.CALENDAR: 60}),
    }
    ledger = {a: {Kind.MAIL: Amount(100, 1000, 0, 0)}, c: {Kind.MAIL: Amount(30, 300, 30, 300)}}
    found = sizes(people, (Kind.MAIL, Kind.CALENDAR), ledger, {d: (44, 440)}, inventory)
    assert found.loads[a].items == {Kind.MAIL: 100, Kind.CALENDAR: 5}
    assert found.loads[b].items == {Kind.MAIL: 20, Kind.CALENDAR: 6}
    assert found.loads[c].items == {Kind.MAIL: 30, Kind.CALENDAR: 5}  # the median of 5 and 6, as a whole
    assert found.loads[d] == Load({Kind.MAIL: 44, Kind.CALENDAR: 0}, {Kind.MAIL: 440, Kind.CALENDAR: 0})
    assert found.loads[e].items == {Kind.MAIL: 37, Kind.CALENDAR: 5}  # of 20, 30, 44 and 100
    assert (found.guessed, found.blind) == ({c, e}, False)


def test_what_a_preflight_counted_is_of_what_moves(write: Write) -> None:
    (anna,) = listed(write, "anna")
    found = sizes((anna,), (Kind.CONTACTS, Kind.CALENDAR), {}, {anna.source: (7, 70)}, {})
    assert found.loads[anna.source].items == {Kind.CALENDAR: 7, Kind.CONTACTS: 0}
    assert found.guessed == frozenset()


def test_where_nothing_is_known_a_typical_mailbox_is_taken(write: Write) -> None:
    (anna,) = listed(write, "anna")
    found = sizes((anna,), (Kind.MAIL,), {}, {}, {})
    items, size = KINDS[Kind.MAIL].typical_amount
    assert found.loads[anna.source] == Load({Kind.MAIL: items}, {Kind.MAIL: size})
    assert (found.guessed, found.blind) == ({anna.source}, True)


# waves.csv


def test_waves_are_read_as_they_are_written(write: Write) -> None:
    rows = [
        WaveLine(2, "pilot", datetime(2027, 1, 16), "nights", 3, "anna@old.example"),
        WaveLine(3, "wave-001", datetime(2027, 1, 23, 20, 30)),
        WaveLine(4, "wave-002"),
    ]
    text = written((row, ["1", "2", "3", "0.50", "rate"]) for row in rows)
    assert text.splitlines()[0] == "wave,date,window,priority,canary,mailboxes,items,bytes,hours,by"
    assert read_waves(write("waves.csv", text)) == tuple(rows)


def test_dates_as_german_spreadsheets_write_them(write: Write) -> None:
    path = write("waves.csv", "wave;date\nw1;16.01.2027\nw2;16.01.2027 20:30\n")
    assert [one.date for one in read_waves(path)] == [datetime(2027, 1, 16), datetime(2027, 1, 16, 20, 30)]


def test_all_faults_of_waves_at_once(write: Write) -> None:
    rows = [
        "no wave,,,,",
        ",,,3,",
        "w1,soon,,,",
        "w1,,,,",
        "w2,,the night,,",
        "w3,,,first,",
        "w4,,,,line 3",
        "w1,,,,",
    ]
    path = write("waves.csv", "\n".join(["wave,date,window,priority,canary", *rows]))
    assert faults(read_waves, path) == [
        "waves.csv:2: wave: give a short name of letters, digits, dots or hyphens",
        "waves.csv:3: wave: is empty",
        "waves.csv:4: date: give a day like 2027-01-16, or with a time, 2027-01-16 20:00",
        "waves.csv:6: window: give the name of one of [windows]",
        "waves.csv:7: priority: give a whole number",
        "waves.csv:8: canary: give the source of one of its mailboxes",
        "waves.csv:9: wave: the same wave as in line 5",
    ]


def test_a_misspelt_column_of_waves_is_told(write: Write) -> None:
    path = write("waves.csv", "wave,windw\nw1,nights\n")
    assert faults(read_waves, path) == ["waves.csv:1: column 2: unknown; did you mean window?"]
