"""What model.protocols.Target promises, asked of every target: containers and writing."""

from __future__ import annotations

import pytest
from benches import TargetBench
from target_items import WHEN, Goods, digests, only_messages, several, there, written

from mappings.fields.folder_names import modified_utf7
from model.errors import Rejected
from model.kinds import Kind
from model.protocols import Failed, Role, Target


def test_identity_is_stable(target_bench: TargetBench, target: Target) -> None:
    again = target_bench.open(lambda: None)
    assert target.identity() == again.identity()
    assert target.identity().id
    again.close()


def test_a_new_account_has_an_empty_inbox(target: Target) -> None:
    only_messages(target, "only a mailbox has an inbox from its first day")
    inbox = next(one for one in target.containers() if one.role is Role.INBOX)
    assert there(target, inbox.id) == []


def test_ensure_is_idempotent_and_listed_once(target: Target, goods: Goods) -> None:
    several(target)
    first = target.ensure(goods.container("Work", "Deep"))
    assert target.ensure(goods.container("Work", "Deep")) == first
    assert [one.path for one in target.containers() if one.id == first] == [goods.path("Work", "Deep")]


def test_ensure_in_another_session_adopts_what_is_there(
    target_bench: TargetBench, target: Target, goods: Goods
) -> None:
    first = target.ensure(goods.container("Work"))
    written(target, first, [goods.item(1)])
    again = target_bench.open(lambda: None)
    assert again.ensure(goods.container("Work")) == first
    assert len(there(again, first)) == 1
    again.close()


def test_the_default_container_is_the_default_container(target: Target, goods: Goods) -> None:
    if not target.capabilities.special_use:
        pytest.skip("no container is the default one here")
    href = target.ensure(goods.container(goods.default, role=goods.role))
    assert [one.id for one in target.containers() if one.role is goods.role] == [href]


@pytest.mark.parametrize(
    "path",
    [
        ("Grüße aus München",),
        ("A & B", 'say "hi"'),
        ("日本語",),
        ("x" * 200,),
        ("[a] %b *c",),
        ("back\\slash",),
    ],
)
def test_names_people_use(target: Target, goods: Goods, path: tuple[str, ...]) -> None:
    several(target)
    if path == ("[a] %b *c",) or path == ("back\\slash",):
        rules = target.capabilities.files
        refused = target.capabilities.facts.get("refused-name-characters", "") + (
            rules.characters if rules is not None else ""
        )
        if set("%*\\") & set(refused):
            pytest.skip("this server allows none of these characters")
    href = target.ensure(goods.container(*path))
    written(target, href, [goods.item(1)])
    assert goods.path(*path) in [one.path for one in target.containers()]
    assert len(there(target, href)) == 1


@pytest.mark.parametrize("letter", ["x", "ä"])
def test_a_name_as_long_as_the_server_takes(target: Target, goods: Goods, letter: str) -> None:
    several(target)
    room = min(target.capabilities.name_bytes, 250)
    name = letter
    while len(modified_utf7(name + letter)) <= room:
        name += letter
    path = ("Below", name) if target.capabilities.separator else (name,)
    href = target.ensure(goods.container(*path))
    written(target, href, [goods.item(1)])
    assert goods.path(*path) in [one.path for one in target.containers()]


def test_a_name_that_cannot_be_is_rejected(target: Target, goods: Goods) -> None:
    separator = target.capabilities.separator
    if not separator:
        pytest.skip("a flat server has no separator")
    with pytest.raises(Rejected):
        target.ensure(goods.container(f"a{separator}b"))


def test_rename_keeps_what_is_inside(target: Target, goods: Goods, href: str) -> None:
    several(target)
    written(target, href, [goods.item(1), goods.item(2)])
    renamed = target.rename(href, goods.container("Other"))
    assert len(there(target, renamed)) == 2
    assert ("Work",) not in [one.path for one in target.containers()]


def test_rename_onto_another_is_rejected(target: Target, goods: Goods, href: str) -> None:
    if not target.capabilities.separator:
        pytest.skip("where names are no paths, two may have one")
    target.ensure(goods.container("Other"))
    with pytest.raises(Rejected):
        target.rename(href, goods.container("Other"))


def test_write_gives_one_result_an_item_and_pairs_by_key(target: Target, goods: Goods, href: str) -> None:
    items = [goods.item(number) for number in range(23)]
    stored = written(target, href, items)
    found = digests(goods, target, href, [one.href for one in stored.values()])
    assert {key: found[one.href] for key, one in stored.items()} == {one.key: one.digest for one in items}


def test_two_identical_items_are_two_items(target: Target, goods: Goods, href: str) -> None:
    only_messages(target, "two objects of one UID cannot be")
    same = goods.raw(1)
    written(target, href, [goods.item(1, same), goods.item(2, same), goods.item(3, same)])
    assert len(there(target, href)) == 3


def test_write_of_nothing_writes_nothing(target: Target, href: str) -> None:
    assert list(target.write(href, [])) == []
    assert there(target, href) == []


def test_a_large_body_is_streamed_and_read_back(target: Target, goods: Goods, href: str) -> None:
    large = goods.item(1, goods.raw(1, goods.large))
    stored = written(target, href, [goods.item(0), large, goods.item(2)])
    found = digests(goods, target, href, [one.href for one in stored.values()])
    assert found[stored[large.key].href] == large.digest


def test_bytes_the_server_normalises_keep_their_digest(target: Target, goods: Goods, href: str) -> None:
    only_messages(target, "an object has a syntax, a message any bytes")
    odd = [
        goods.item(1, goods.raw(1).replace(b"\r\n", b"\n")),
        goods.item(2, goods.raw(2) + b"\xff\xfe 8-bit \xc3\xa4"),
        goods.item(3, b"\r\n"),
    ]
    stored = written(target, href, odd)
    found = digests(goods, target, href, [one.href for one in stored.values()])
    assert [found[stored[one.key].href] for one in odd] == [one.digest for one in odd]


def test_flags_date_size_and_message_id_are_listed(target: Target, goods: Goods, href: str) -> None:
    only_messages(target, "only messages have flags, a date and a Message-ID of their own")
    wanted = goods.item(1, flags=frozenset({"\\Seen", "\\Flagged", "\\Answered", "\\Draft"}))
    stored = written(target, href, [wanted])[wanted.key]
    (listed,) = there(target, href)
    assert (listed.href, listed.size, listed.flags) == (stored.href, wanted.size, wanted.flags)
    assert listed.date == WHEN
    assert listed.message_id == "<1@example.org>"


def test_keywords_are_kept(target: Target, goods: Goods, href: str) -> None:
    if not target.capabilities.keywords:
        pytest.skip("this server keeps no keywords")
    wanted = goods.item(1, flags=frozenset({"\\Seen", "$Forwarded", "Projekt"}))
    written(target, href, [wanted])
    (listed,) = there(target, href)
    assert listed.flags == wanted.flags


def test_a_flag_no_server_takes_costs_only_its_item(target: Target, goods: Goods, href: str) -> None:
    only_messages(target, "only messages have flags")
    refused = goods.item(2, flags=frozenset({"a b(c"}))
    results = list(target.write(href, [goods.item(1), refused, goods.item(3)]))
    assert [r.key for r in results if isinstance(r, Failed)] == [refused.key]
    assert len(there(target, href)) == 2


def test_an_empty_item_costs_only_itself(target: Target, goods: Goods, href: str) -> None:
    if goods.kind is Kind.FILES:
        pytest.skip("an empty file is a file")
    results = list(target.write(href, [goods.item(1), goods.item(2, b""), goods.item(3)]))
    failed = [result for result in results if isinstance(result, Failed)]
    assert [(one.key, type(one.error)) for one in failed] == [(goods.item(2).key, Rejected)]
    assert len(there(target, href)) == 2
