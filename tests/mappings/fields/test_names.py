"""Folder names: golden plans, and the properties every plan has."""

from __future__ import annotations

import itertools
import json
import unicodedata
from collections.abc import Mapping
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from imapclient import imap_utf7

from mappings.fields.folder_names import INBOX, PATH_BYTES, REFUSED_FACT, modified_utf7, plan_names
from mappings.fields.look_alikes import DOTS, LOOK_ALIKES
from model.event_limits import EventLimits
from model.kinds import Kind
from model.protocols import Capabilities, Container, Role

MAIL = frozenset({Kind.MAIL})
DOVECOT = Capabilities(MAIL)
SPECIAL = {Role.SENT: ("Sent",), Role.DRAFTS: ("Drafts",), Role.TRASH: ("Trash",)}
GOLDENS = Path(__file__).parents[1] / "goldens" / "names.json"

NAMES = st.one_of(
    st.sampled_from(
        ["INBOX", "Inbox", "Sent", "a", "a/b", "a\u2215b", "a (2)", "é", "e\u0301", ".", "..", "~", "x" * 300]
    ),
    st.text(st.characters(), min_size=1, max_size=8),
    st.text("üа漢😀/.", min_size=100, max_size=300),
)
PATHS = st.lists(NAMES, min_size=1, max_size=4).map(tuple)
CONTAINERS = st.lists(
    st.tuples(PATHS, st.sampled_from([None, None, None, Role.INBOX, Role.SENT, Role.TRASH])), max_size=12
).map(lambda pairs: [Container(Kind.MAIL, f"id-{n}", path, role) for n, (path, role) in enumerate(pairs)])
TARGETS = st.sampled_from(
    [
        DOVECOT,
        Capabilities(MAIL, separator="."),
        Capabilities(MAIL, separator=""),
        Capabilities(MAIL, name_bytes=40, facts={REFUSED_FACT: " %*\\"}),
    ]
)


def mail(id_: str, *path: str, role: Role | None = None, omit: str | None = None) -> Container:
    return Container(Kind.MAIL, id_, path, role, omit=omit)


def placed(
    *containers: Container, target: Capabilities = DOVECOT, fixed: Mapping[str, tuple[str, ...]] | None = None
) -> dict[str, tuple[str, ...]]:
    plan = plan_names(containers, target, SPECIAL, fixed or {})
    return {id_: placement.path for id_, placement in plan.items()}


def identity(path: tuple[str, ...]) -> tuple[str, ...]:
    return ("INBOX", *path[1:]) if path[0].upper() == "INBOX" else path


@pytest.mark.parametrize("case", json.loads(GOLDENS.read_text()), ids=lambda case: str(case["what"]))
def test_golden(case: dict[str, object]) -> None:
    given_, expected = case["containers"], case["places"]
    assert isinstance(given_, list)
    assert isinstance(expected, dict)
    separator = str(case.get("separator", "/"))
    containers = [
        mail(str(c["id"]), *c["path"], role=Role(c["role"]) if "role" in c else None) for c in given_
    ]
    plan = plan_names(containers, Capabilities(MAIL, separator=separator), SPECIAL, {})
    found = {
        id_: {"path": list(placement.path), "losses": [loss.reason for loss in placement.losses]}
        for id_, placement in plan.items()
    }
    assert found == expected


@given(CONTAINERS, TARGETS)
def test_every_container_has_a_place_of_its_own(containers: list[Container], target: Capabilities) -> None:
    plan = plan_names(containers, target, SPECIAL, {})
    assert set(plan) == {container.id for container in containers}
    places = [identity(placement.path) for placement in plan.values()]
    assert len(set(places)) == len(places)


@given(CONTAINERS, TARGETS)
def test_every_name_is_one_the_server_takes(containers: list[Container], target: Capabilities) -> None:
    for placement in plan_names(containers, target, SPECIAL, {}).values():
        for name in placement.path:
            assert unicodedata.is_normalized("NFC", name)
            assert 0 < len(modified_utf7(name)) <= target.name_bytes
            assert name not in (".", "..", "")
            assert not name.startswith("~")
            assert "/" not in name
            assert not target.separator or target.separator not in name
            assert all(ord(char) >= 32 and char != "\x7f" for char in name)
            refused = target.facts.get(REFUSED_FACT, "")
            assert not set(refused) - {" "} & set(name)
            assert " " not in refused or name == name.strip(" ")
        whole = (target.separator or "/").join(placement.path)
        assert len(modified_utf7(whole)) <= PATH_BYTES


@given(CONTAINERS, TARGETS, st.randoms(use_true_random=False))
def test_the_order_of_the_input_changes_nothing(
    containers: list[Container], target: Capabilities, random: object
) -> None:
    shuffled = list(containers)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    assert plan_names(shuffled, target, SPECIAL, {}) == plan_names(containers, target, SPECIAL, {})


@given(CONTAINERS, CONTAINERS, TARGETS)
def test_what_was_placed_stays_when_more_comes(
    first: list[Container], second: list[Container], target: Capabilities
) -> None:
    before = {id_: p.path for id_, p in plan_names(first, target, SPECIAL, {}).items()}
    more = [Container(Kind.MAIL, f"new-{c.id}", c.path, c.role) for c in second]
    after = {id_: p.path for id_, p in plan_names([*more, *first], target, SPECIAL, before).items()}
    assert {id_: after[id_] for id_ in before} == before
    places = [identity(path) for path in after.values()]
    assert len(set(places)) == len(places)
    assert {id_: p.path for id_, p in plan_names([*first, *more], target, SPECIAL, after).items()} == after


@given(PATHS)
def test_a_difference_between_name_and_place_is_named(path: tuple[str, ...]) -> None:
    container = mail("a", *path)
    placement = plan_names([container], DOVECOT, SPECIAL, {})["a"]
    assert (placement.path[-1] != path[-1]) <= bool(placement.losses)


@given(st.text(st.characters(codec="utf-8"), max_size=40))
def test_modified_utf7_is_imapclients(text: str) -> None:
    assert modified_utf7(text) == imap_utf7.encode(text)


@pytest.mark.parametrize("name", ["a/b", "~x", ".", "..", "a\tb", "a\x7fb", "/", "~/.", "Plan 2023/24"])
def test_look_alikes_turn_back(name: str) -> None:
    plain = {ord(alike): one for one, alike in LOOK_ALIKES.items()}
    (made,) = placed(mail("a", name))["a"]
    assert made != name
    assert (".." if made == DOTS[".."] else made.translate(plain)) == name


def test_children_follow_their_parents_place() -> None:
    places = placed(
        mail("1", "Gesendete Elemente", role=Role.SENT),
        mail("2", "Gesendete Elemente", "2023"),
        mail("3", "Posteingang", role=Role.INBOX),
        mail("4", "Posteingang", "Sent"),
    )
    assert places == {"1": ("Sent",), "2": ("Sent", "2023"), "3": INBOX, "4": ("INBOX", "Sent")}


def test_a_folder_that_only_looks_like_the_inbox_is_none() -> None:
    places = placed(mail("1", "inbox"), mail("2", "Posteingang", role=Role.INBOX), mail("3", "A", "Inbox"))
    assert places == {"1": ("inbox (2)",), "2": INBOX, "3": ("A", "Inbox")}


def test_an_omitted_parent_still_shapes_the_path_of_what_moves() -> None:
    places = placed(mail("1", "Calendar", omit="not-mail"), mail("2", "Calendar", "Mails"))
    assert places == {"2": ("Calendar", "Mails")}


def test_the_second_container_of_a_role_is_an_ordinary_folder() -> None:
    places = placed(mail("1", "Gesendet", role=Role.SENT), mail("2", "Gesendet alt", role=Role.SENT))
    assert places == {"1": ("Sent",), "2": ("Gesendet alt",)}


def test_a_gone_folders_place_is_not_given_away_but_a_special_place_is() -> None:
    fixed = {"old": ("Projekte",), "old-sent": ("Sent",)}
    places = placed(mail("new", "Projekte"), mail("new-sent", "Gesendet", role=Role.SENT), fixed=fixed)
    assert places == {"new": ("Projekte (2)",), "new-sent": ("Sent",)}


def test_cut_names_of_different_folders_differ() -> None:
    names = ["ü" * 200 + end for end in ("a", "b", "c")]
    places = placed(*(mail(str(n), name) for n, name in enumerate(names)))
    assert len(set(places.values())) == 3
    assert all("~" in path[0] for path in places.values())


def test_paths_too_long_for_the_server_move_up() -> None:
    path = tuple(f"{level:02}" + "x" * 240 for level in range(30))
    containers = [mail(str(depth), *path[:depth]) for depth in range(1, 31)]
    plan = plan_names(containers, DOVECOT, {}, {})
    assert plan["5"].path == path[:5]
    assert "path-shortened" in [loss.reason for loss in plan["30"].losses]
    for upper, lower in itertools.pairwise(range(1, 31)):
        assert len(plan[str(lower)].path) <= len(plan[str(upper)].path) + 1


def test_no_calendar_has_the_name_of_the_default_one_in_front() -> None:
    """Open-Xchange's default calendar is called as its owner over DAV."""
    target = Capabilities(frozenset({Kind.CALENDAR}), separator="")
    calendars = [
        Container(Kind.CALENDAR, "home", ("Kalender",), Role.CALENDAR),
        Container(Kind.CALENDAR, "shifts", ("Kalender", "Schichtplan")),
        Container(Kind.CALENDAR, "nights", ("Kalender", "Schichtplan", "Nachts")),
        Container(Kind.CALENDAR, "other", ("Dienst", "Schichtplan")),
    ]
    special = {Role.CALENDAR: ("Thomas Müller",)}
    plan = plan_names(calendars, target, special, {})
    assert {one: placement.path for one, placement in plan.items()} == {
        "home": ("Thomas Müller",),
        "shifts": ("Schichtplan",),
        "nights": ("Schichtplan\u2215Nachts",),
        "other": ("Dienst\u2215Schichtplan",),
    }
    assert [loss.reason for loss in plan["shifts"].losses] == ["flattened"]
    later = Container(Kind.CALENDAR, "later", ("Kalender", "Urlaub"))
    fixed = {one: placement.path for one, placement in plan.items()}
    assert plan_names([*calendars, later], target, special, fixed)["later"].path == ("Urlaub",)
    before = {"home": ("Thomas Müller",), "shifts": ("Thomas Müller\u2215Schichtplan",)}
    assert plan_names(calendars, target, special, before)["shifts"].path == (
        "Thomas Müller\u2215Schichtplan",
    )


def test_where_there_is_one_calendar_all_go_into_it() -> None:
    limits = EventLimits(zone="Europe/Berlin", title=1, place=1, text=1, link=1)
    target = Capabilities(frozenset({Kind.CALENDAR}), separator="", events=limits)
    home = Container(Kind.CALENDAR, "home", ("Kalender",), Role.CALENDAR)
    work = Container(Kind.CALENDAR, "work", ("Dienst",))
    hidden = Container(Kind.CALENDAR, "hidden", ("Geburtstage",), omit="hidden")
    plan = plan_names([home, work, hidden], target, {Role.CALENDAR: ("agenda",)}, {"work": ("agenda",)})
    assert {one: placement.path for one, placement in plan.items()} == {
        "home": ("agenda",),
        "work": ("agenda",),
    }
    assert [(loss.field, loss.reason) for loss in plan["work"].losses] == [("name", "in-one-container")]
    assert plan["home"].losses == ()
