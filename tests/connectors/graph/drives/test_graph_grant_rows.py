"""What a permission is taken for: what is not understood is told, and never more than was given."""

from __future__ import annotations

from typing import Any

import pytest

from connectors.graph_drives.permission_rows import KnownPrincipals, User, grants_of, is_less, names_of
from model.optional_protocols import Grant, Sharing

BOB = {"user": {"id": "1", "email": "old@x.de"}}
KNOWN = KnownPrincipals(
    {"1": User("bob@x.de", guest=False), "2": User("eve@y.de", guest=True), "3": User("", guest=False)},
    frozenset({"x.de"}),
    "owner",
    lambda: "site:h.de:/sites/s",
)
STRANGE = Grant(Sharing.EXTERNAL, "row", odd=True)


def told(row: dict[str, Any], known: KnownPrincipals = KNOWN) -> list[Grant]:
    return list(grants_of({"id": "row", **row}, known))


def to(party: dict[str, Any], *roles: str) -> dict[str, Any]:
    return {"roles": roles or ("read",), "grantedToV2": party}


def by_link(kind: str, scope: str = "users", *roles: str, **more: Any) -> dict[str, Any]:
    link = {"type": kind, "scope": scope, **more}
    return {"roles": roles, "link": link, "grantedToIdentitiesV2": [BOB] if scope == "users" else []}


def test_full_control_is_a_right_like_others_unless_it_is_the_owner_s() -> None:
    assert told(to(BOB, "owner")) == [Grant(Sharing.USER, "bob@x.de", write=True)]
    group = {"siteGroup": {"displayName": "Personalrat"}}
    name = "site:h.de:/sites/s:Personalrat"
    assert told(to(group, "owner")) == [Grant(Sharing.GROUP, name, write=True)]
    assert told(to({"user": {"id": "owner", "email": "me@x.de"}}, "owner")) == []


@pytest.mark.parametrize(
    "row",
    [
        to({"application": {"id": "1", "displayName": "app"}}),
        by_link("view", "unknownFutureValue"),
        by_link("view", ""),
        {"roles": ["read"]},
        to({"group": {"id": "1"}}),
        to({"device": {"id": "1"}}),
    ],
)
def test_what_is_not_understood_is_told(row: dict[str, Any]) -> None:
    assert told(row) == [STRANGE]


def test_who_was_asked_in_by_mail_is_external() -> None:
    assert told({"roles": ["write"], "invitation": {"email": "Ext@y.de"}}) == [
        Grant(Sharing.EXTERNAL, "ext@y.de", write=True)
    ]


@pytest.mark.parametrize(
    ("row", "write"),
    [
        (to(BOB, "sp.restricted view"), None),
        (to(BOB, "sp.view only"), None),
        (to(BOB, "read", "sp.restricted view"), None),
        ({"roles": [], "grantedToV2": BOB}, None),
        (by_link("createOnly", "users", "write"), None),
        (by_link("view", "users", "read", preventsDownload=True), None),
        (by_link("blocksDownload", "users", "read"), None),
        (by_link("view", "users", "read", preventsDownload=False), False),
        (by_link("view", "users", "write"), False),
        (by_link("edit", "users", "read"), False),
        (by_link("edit", "users", "write"), True),
        (by_link("edit"), True),
        (to(BOB, "read"), False),
        (to(BOB, "sp.full control"), True),
    ],
)
def test_only_reading_and_writing_are_translated(row: dict[str, Any], write: bool | None) -> None:
    assert told(row) == [Grant(Sharing.USER, "bob@x.de", write=bool(write), odd=write is None)]


def test_links_for_anybody_keep_their_kind() -> None:
    drop = told(by_link("createOnly", "anonymous", "write"))
    assert drop == [Grant(Sharing.LINK, everyone=True, odd=True)]
    assert told(by_link("edit", "anonymous", "write")) == [Grant(Sharing.LINK, write=True, everyone=True)]
    assert told(by_link("view", "existingAccess", "read")) == []


def test_people_are_who_the_directory_says() -> None:
    assert list(names_of(to(BOB))) == ["1"]
    assert told(to({"user": {"id": "2", "email": "eve@x.de"}})) == [Grant(Sharing.EXTERNAL, "eve@x.de")]
    for nobody in ("3", "4"):
        assert told(to({"user": {"id": nobody, "email": "bob@x.de"}})) == [Grant(Sharing.USER, nobody)]
    assert told(to({"user": {"id": "4", "email": "z@z.de"}})) == [Grant(Sharing.EXTERNAL, "z@z.de")]
    login = {"siteUser": {"id": "9", "loginName": "i:0#.f|membership|bob@x.de"}}
    assert list(names_of(to(login))) == ["bob@x.de"]
    assert told(to(login)) == [Grant(Sharing.USER, "9")]
    assert told(to({"siteUser": {"loginName": "i:0#.f|membership|b@x.de"}}), KnownPrincipals()) == [
        Grant(Sharing.USER, "")
    ]


def test_everybody_is_a_group() -> None:
    everyone = {"siteUser": {"displayName": "Alle", "loginName": "c:0(.s|true"}}
    assert list(names_of(to(everyone))) == []
    assert told(to(everyone)) == [Grant(Sharing.GROUP, "Alle")]


@pytest.mark.parametrize(
    ("above", "here", "less"),
    [
        (Grant(Sharing.USER, "a"), Grant(Sharing.USER, "a"), False),
        (Grant(Sharing.USER, "a"), Grant(Sharing.USER, "a", write=True), False),
        (Grant(Sharing.USER, "a", write=True), Grant(Sharing.USER, "a"), True),
        (Grant(Sharing.USER, "a"), Grant(Sharing.USER, "a", odd=True), True),
        (Grant(Sharing.GROUP, "a"), Grant(Sharing.USER, "a"), True),
        (Grant(Sharing.LINK, everyone=True), Grant(Sharing.USER, "a"), True),
        (Grant(Sharing.LINK), Grant(Sharing.USER, "a"), False),
        (Grant(Sharing.LINK, everyone=True, password=True), Grant(Sharing.USER, "a"), False),
        (Grant(Sharing.EXTERNAL, "a"), Grant(Sharing.USER, "a"), False),
    ],
)
def test_who_has_less(above: Grant, here: Grant, less: bool) -> None:
    assert is_less([above], [here]) is less
