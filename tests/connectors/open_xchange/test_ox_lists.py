"""Distribution lists, which CardDAV drops, arrive once by the HTTP API, whatever happens on the way."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from dataclasses import replace

import pytest
from ox_api_desk import ANNA, MOMENT, ApiDesk, lost
from results import code, stored

from connectors.open_xchange import group_cards
from connectors.open_xchange.target import OpenXchangeTarget
from mappings.compare.semantic_digest import card_digest
from model.errors import Blocked, LeaseLost, Rejected, Transient
from model.kinds import Kind
from model.protocols import Amendment, Container, Item, Native, Role, Stored, key_of
from practice.dav.proxy import reply

CONTACTS = Container(Kind.CONTACTS, "source-4", ("Contacts",), Role.CONTACTS)
BOOK = "/carddav/32/"
PEOPLE = ("anna@x.example", "bert.o'neil+1@x.example")


def group(number: int, *members: str, name: str = "Team; \\, Nord") -> bytes:
    uid = f"kogge-{key_of(f'item-{number}').hex()}"
    lines = [f'X-ADDRESSBOOKSERVER-MEMBER;X-CN="Berg, {one}":mailto:{one}' for one in members]
    head = ("BEGIN:VCARD", "VERSION:3.0", "PRODID:t", f"UID:{uid}", f"FN:{name}", f"N:{name};;;;")
    whole = (*head, "X-ADDRESSBOOKSERVER-KIND:group", *lines, "END:VCARD", "")
    return "\r\n".join(whole).replace("FN:Team;", "FN:Team\\;").replace("N:Team;", "N:Team\\;").encode()


def card(number: int) -> bytes:
    uid = f"kogge-{key_of(f'item-{number}').hex()}"
    whole = ("BEGIN:VCARD", "VERSION:3.0", f"UID:{uid}", "N:A;B;;;", f"FN:B A{number}", "END:VCARD", "")
    return "\r\n".join(whole).encode()


def item(number: int, raw: bytes, replaces: Stored | None = None) -> Item:
    key = key_of(f"item-{number}")
    return Item(
        kind=Kind.CONTACTS,
        key=key,
        digest=card_digest(io.BytesIO(raw), MOMENT),
        size=len(raw),
        body=lambda: io.BytesIO(raw),
        uid=f"kogge-{key.hex()}",
        replaces=replaces,
    )


def lists(desk: ApiDesk, login: str = ANNA) -> list[tuple[str, list[str]]]:
    """What the person has: the name of each list, and its members."""
    context = desk.server.context
    (book,) = [one for one in context.own("contacts", context.users[login]) if one.number == 32]
    return [
        (one.contact.display_name, sorted(str(member["mail"]) for member in one.members))
        for one in desk.server.suite.cards.everything(book)
        if one.members is not None
    ]


def opened(desk: ApiDesk, *, live: bool = False) -> OpenXchangeTarget:
    return desk.target(Kind.CONTACTS, live=live)


def test_a_list_arrives_beside_cards_and_means_the_same(desk: ApiDesk) -> None:
    target = opened(desk)
    href = target.ensure(CONTACTS)
    assert href == BOOK
    assert (target.capabilities.groups, target.capabilities.plain_lists) == (True, True)
    items = [item(1, group(1, *PEOPLE)), item(2, card(2)), item(3, group(3, name="Leer"))]
    made = stored(target.write(href, items))
    assert {one.href for one in made} == {target.place(one.key) for one in items}
    assert sorted(lists(desk)) == [("Leer", []), ("Team; , Nord", sorted(PEOPLE))]
    assert {one.href for one in target.listing(href)} == {one.href for one in made}
    assert {one.href for one in target.look_up(href, [one.href for one in made])} == {
        one.href for one in made
    }
    wanted = {str(target.place(one.key)): one.digest for one in items}
    for name, result in target.read(href, wanted):
        assert isinstance(result, Native)
        assert result.body is not None
        assert card_digest(result.body(), MOMENT) == wanted[name]
    assert desk.sink.mails == []


def test_batches_of_cards_list_the_book_once(desk: ApiDesk) -> None:
    """A listing holds the whole book: one for each batch would grow with its square."""
    target = opened(desk)
    names: list[str] = []
    for number in range(5):
        names += [one.href for one in stored(target.write(BOOK, [item(number, card(number))]))]
        assert [one.href for one in target.look_up(BOOK, names)] == names
        assert [name for name, _ in target.read(BOOK, names)] == names
    assert len(desk.asked("action=all")) == 1


def test_a_list_of_an_earlier_batch_is_seen(desk: ApiDesk) -> None:
    target = opened(desk)
    stored(target.write(BOOK, [item(1, card(1))]))
    (made,) = stored(target.write(BOOK, [item(2, group(2, *PEOPLE))]))
    assert [one.href for one in target.look_up(BOOK, [made.href])] == [made.href]
    ((name, native),) = target.read(BOOK, [made.href])
    assert isinstance(native, Native), name
    stored(target.write(BOOK, [item(2, card(2), replaces=made)]))
    assert lists(desk) == []
    ((_, native),) = target.read(BOOK, [made.href])
    assert isinstance(native, Native)
    assert b":group" not in native.body().read()


def test_a_list_that_landed_between_two_batches_makes_no_second_one(desk: ApiDesk) -> None:
    """A worker that died had sent it."""
    target, late = opened(desk), opened(desk)
    stored(target.write(BOOK, [item(1, card(1))]))
    stored(late.write(BOOK, [item(2, group(2, *PEOPLE))]))
    stored(target.write(BOOK, [item(2, group(2, *PEOPLE))]))
    assert len(lists(desk)) == 1


def test_after_a_fault_the_book_is_listed_anew(desk: ApiDesk) -> None:
    target, late = opened(desk), opened(desk)
    stored(target.write(BOOK, [item(1, card(1))]))

    def broken() -> Iterator[Item]:
        yield item(3, card(3))
        raise Transient("busy", "the source went away")

    with pytest.raises(Transient):
        list(target.write(BOOK, broken()))
    (made,) = stored(late.write(BOOK, [item(2, group(2, *PEOPLE))]))
    assert [one.href for one in target.look_up(BOOK, [made.href])] == [made.href]


def test_a_list_without_the_api_is_not_taken() -> None:
    """What CardDAV drops, the mapping does not even make: the capability says so."""
    raw = group(1, *PEOPLE)
    assert group_cards.is_group(io.BytesIO(raw))
    assert not group_cards.is_group(io.BytesIO(card(1)))
    assert not group_cards.is_group(io.BytesIO(card(1).replace(b"END:", b"NOTE:KIND:group\r\nEND:")))


@pytest.mark.parametrize("faults", [[lost], [reply(503)], [lost, lost], [reply(429), lost, reply(500)]])
def test_a_lost_reply_makes_no_second_list(desk: ApiDesk, faults: list[object]) -> None:
    target = opened(desk)
    href = target.ensure(CONTACTS)
    desk.layer.answers, desk.layer.what = list(faults), "action=new"
    (made,) = stored(target.write(href, [item(1, group(1, *PEOPLE))]))
    assert lists(desk) == [("Team; , Nord", sorted(PEOPLE))]
    again = opened(desk)
    assert stored(again.write(href, [item(1, group(1, *PEOPLE))])) == [made]
    assert len(lists(desk)) == 1
    assert len(desk.layer.answers) < len(faults)


def test_a_change_replaces_name_and_members(desk: ApiDesk) -> None:
    target = opened(desk)
    href = target.ensure(CONTACTS)
    (made,) = stored(target.write(href, [item(1, group(1, *PEOPLE))]))
    desk.layer.answers, desk.layer.what = [lost], "action=update"
    changed = item(1, group(1, "eve@x.example", name="Neu"), replaces=made)
    assert stored(target.write(href, [changed])) == [made]
    assert lists(desk) == [("Neu", ["eve@x.example"])]


def test_what_its_user_changed_stays_in_the_live_phase(desk: ApiDesk) -> None:
    target = opened(desk)
    href = target.ensure(CONTACTS)
    (made,) = stored(target.write(href, [item(1, group(1, *PEOPLE))]))
    live = opened(desk, live=True)
    other = item(1, group(1, name="Neu"), replaces=made)
    assert code(live.write(href, [other])) == "changed-at-target"
    assert stored(live.write(href, [item(1, group(1, *PEOPLE))])) == [made]
    (added,) = stored(live.write(href, [item(2, group(2, name="Dazu"))]))
    assert len(lists(desk)) == 2
    (removed,) = stored(target.remove(href, [added]))
    assert code(live.write(href, [item(2, group(2), replaces=removed)])) == "changed-at-target"
    with pytest.raises(Blocked, match="live-phase"):
        list(live.remove(href, [made]))
    with pytest.raises(Blocked, match="live-phase"):
        list(live.amend(href, []))


def test_only_ours_is_removed_and_only_as_it_was_written(desk: ApiDesk) -> None:
    target = opened(desk)
    href = target.ensure(CONTACTS)
    items = [item(1, group(1, *PEOPLE)), item(2, group(2, name="Zwei")), item(3, card(3))]
    made = {one.key: one for one in stored(target.write(href, items))}
    one, two, three = (replace(made[each.key], digest=each.digest) for each in items)
    stored(target.write(href, [item(2, group(2, name="Von ihr geändert"), replaces=two)]))
    assert code(target.remove(href, [two])) == "changed-at-target"
    assert code(target.remove(href, [replace(one, via=True)])) == "cannot-remove"
    desk.layer.answers, desk.layer.what = [lost], "action=delete"
    assert len(stored(target.remove(href, [one, three]))) == 2
    assert stored(target.remove(href, [one])) == [one]
    assert lists(desk) == [("Von ihr geändert", [])]
    assert [each.href for each in target.listing(href)] == [two.href]


def test_a_persons_own_list_is_seen_and_not_ours(desk: ApiDesk) -> None:
    target = opened(desk)
    href = target.ensure(CONTACTS)
    fields = {"folder_id": "con://0/32", "uid": "eigene", "display_name": "Eigene"}
    desk.client().ask("addressbooks", "new", {}, {**fields, "mark_as_distributionlist": True})
    (own,) = target.listing(href)
    assert own.href == "eigene.vcf"
    assert code(target.remove(href, [Stored(key_of("x"), own.href)])) == "cannot-remove"
    assert len(lists(desk)) == 1
    assert not target.clear(href)


def test_a_list_that_landed_late_is_seen_and_can_be_removed(desk: ApiDesk) -> None:
    """The API has no conditional create. Two of one UID are told apart, and the meaning decides."""
    target = opened(desk)
    href = target.ensure(CONTACTS)
    late = item(1, group(1, *PEOPLE))
    (made,) = stored(target.write(href, [late]))
    fields = {"folder_id": "con://0/32", "uid": late.uid, **group_cards.to_list(group(1, *PEOPLE))}
    desk.client().ask("addressbooks", "new", {}, fields)
    first, second = (each.href for each in target.listing(href))
    assert first == made.href
    assert target.place(late.key) != second
    orphan = Stored(b"", second)
    assert code(target.remove(href, [orphan])) == "cannot-remove"
    assert code(target.remove(href, [replace(orphan, digest=b"other")])) == "changed-at-target"
    stored(target.remove(href, [replace(orphan, digest=late.digest)]))
    assert [each.href for each in target.listing(href)] == [made.href]
    assert stored(target.write(href, [late])) == [made]


def test_a_lost_lease_writes_nothing(desk: ApiDesk) -> None:
    def refuse() -> None:
        raise LeaseLost("lease-lost")

    opened(desk).ensure(CONTACTS)
    target = desk.target(Kind.CONTACTS, guard=refuse)
    with pytest.raises(LeaseLost):
        list(target.write(BOOK, [item(1, group(1, *PEOPLE))]))
    assert lists(desk) == []


def test_flags_are_refused_and_nothing_is_sent(desk: ApiDesk) -> None:
    target = opened(desk)
    href = target.ensure(CONTACTS)
    (made, plain) = stored(target.write(href, [item(1, group(1, *PEOPLE)), item(2, card(2))]))
    none: frozenset[str] = frozenset()
    assert len(stored(target.amend(href, [Amendment(made, none), Amendment(plain, none)]))) == 2
    assert code(target.amend(href, [Amendment(made, frozenset({"x"}))])) == "flag-not-allowed"


@pytest.mark.parametrize(
    ("what", "answer", "expected"),
    [
        ("action=all", reply(200, '{"data": [["1", "u"]], "timestamp": 1}'), "not-http-api"),
        ("action=all", reply(200, '{"data": "x"}'), "not-http-api"),
        ("action=get", reply(200, '{"data": []}'), "not-http-api"),
        ("action=get", reply(200, '{"data": {}}'), "not-http-api"),
        ("action=get", reply(200, "<html>"), "not-http-api"),
    ],
)
def test_garbage_about_a_list_is_not_believed(
    desk: ApiDesk, what: str, answer: object, expected: str
) -> None:
    target = opened(desk)
    href = target.ensure(CONTACTS)
    (made,) = stored(target.write(href, [item(1, group(1, *PEOPLE))]))
    desk.layer.answers, desk.layer.what = [answer] * 9, what
    with pytest.raises(Transient) as caught:
        list(target.read(href, [made.href]))
    assert caught.value.code == expected


def test_garbage_for_a_new_list_is_looked_at_again(desk: ApiDesk) -> None:
    """The server may have made it: it is looked up by its UID."""
    target = opened(desk)
    href = target.ensure(CONTACTS)
    desk.layer.answers, desk.layer.what = [reply(200, '{"data": {}}')], "action=new"
    stored(target.write(href, [item(1, group(1, *PEOPLE))]))
    assert len(lists(desk)) == 1


def test_a_list_that_the_server_refuses_is_rejected_alone(desk: ApiDesk) -> None:
    target = opened(desk)
    href = target.ensure(CONTACTS)
    refusal = {"error": "x", "code": "CON-0177", "categories": "USER_INPUT"}
    desk.layer.answers, desk.layer.what = [reply(200, json.dumps(refusal))], "action=new"
    first, second = target.write(href, [item(1, group(1, *PEOPLE)), item(2, group(2))])
    assert code([first]) == "refused-by-target"
    assert stored([second])
    linked = group(3, *PEOPLE).replace(b":mailto:", b":urn:uuid:")
    assert code(target.write(href, [item(3, linked)])) == "refused-by-target"


def test_a_list_that_vanished_is_told(desk: ApiDesk) -> None:
    target = opened(desk)
    href = target.ensure(CONTACTS)
    (made,) = stored(target.write(href, [item(1, group(1, *PEOPLE))]))
    refusal = {"error": "x", "code": "CON-0125", "categories": "ERROR"}
    desk.layer.answers, desk.layer.what = [reply(200, json.dumps(refusal))], "action=get"
    ((_, result),) = target.read(href, [made.href])
    assert code([result]) == "vanished"  # type: ignore[list-item]
    ((_, result),) = target.read(href, ["k-none.vcf"])
    assert code([result]) == "vanished"  # type: ignore[list-item]


@pytest.mark.parametrize(
    "found",
    [
        {},
        {"display_name": 5, "uid": None, "distribution_list": "x"},
        {"display_name": "a\r\nEND:VCARD", "uid": "u\x00", "distribution_list": [5, {}, {"mail": "a b\n@x"}]},
    ],
)
def test_an_odd_list_becomes_one_card(found: dict[str, object]) -> None:
    text = group_cards.to_card(found).decode()
    assert text.split("\r\n").count("END:VCARD") == 1
    assert text.startswith("BEGIN:VCARD\r\n")
    assert card_digest(io.BytesIO(text.encode()), MOMENT)


def test_a_card_goes_there_and_back() -> None:
    raw = group(1, *PEOPLE, name="Zeile\\nzwei")
    stated = {**group_cards.to_list(raw), "uid": item(1, raw).uid}
    assert stated["display_name"] == "Zeile\nzwei"
    digest = card_digest(io.BytesIO(group_cards.to_card(stated)), MOMENT)
    assert digest == item(1, raw).digest
    with pytest.raises(Rejected):
        group_cards.to_list(raw.replace(b"mailto:", b"tel:"))
