"""Who people and groups of the source are at the target."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from engine.config.load import load
from engine.context.principals import Parties, read_groups
from engine.identity.identity_gate import GateRules
from engine.opening.gate_files import parties
from engine.planning.deny_list import DenyList
from engine.planning.mailbox_list import Directory
from ledger.db.rows import LegState, Phase
from ledger.leg.locations import Seat
from ledger.plan.mailboxes import PlannedMailbox
from ledger.store import Ledger
from model.errors import Misconfigured
from model.kinds import Kind
from model.protocols import Identity

BAUAMT = "site:contoso.sharepoint.com:/sites/bau amt:Besitzer"
PRESSE = "site:contoso.sharepoint.com:/sites/presse:Besitzer"


def found(names: Mapping[str, Seat]) -> Callable[[object], Mapping[str, Seat]]:
    return lambda asked: {name: names[name] for name in names if name in asked}  # type: ignore[operator]


def test_whose_an_address_is() -> None:
    known = {f"{name}@old": Seat(f"{name}@old", name, f"{name}@new", "") for name in "abc"}
    directory = Directory(
        {
            "a@old": frozenset({1}),
            "alias@old": frozenset({1}),
            "b@old": frozenset({2}),
            "c@old": frozenset({2}),
            "both@old": frozenset({2}),
        },
        {"a@new": frozenset({1}), "b@new": frozenset({2}), "c@new": frozenset({2})},
    )
    known_parties = Parties(found(known), directory)
    asked = {"a@old", "alias@old", "both@old", "b@old", "nobody@old"}
    assert known_parties.people(asked) == {"a@old": "a", "alias@old": "a", "b@old": "b"}
    by_address = replace(known_parties, login=lambda _login, address: address)
    assert by_address.people({"alias@old"}) == {"alias@old": "a@new"}


def test_the_target_s_own_word_goes_before_the_login() -> None:
    known = {
        "a@old": Seat("a@old", "a", "a@new", "uid-of-a"),
        "b@old": Seat("b@old", "b", "b@new", ""),
        "c@old": Seat("c@old", "c", "c@new", None),
    }
    asked = {*known, "nobody@old"}
    assert Parties(found(known)).people(asked) == {"a@old": "uid-of-a", "b@old": "b", "c@old": None}
    denying = Parties(found(known), deny=DenyList(frozenset({"c@new"})))
    assert "c@old" not in denying.people(asked)


def test_an_address_of_two_people_is_nobody_s() -> None:
    known = {name: Seat(name, name[:1], f"{name[:1]}@new", "") for name in ("a@old", "desk@old")}
    directory = Directory(
        {
            "desk@old": frozenset({1, 2}),
            "post@old": frozenset({1, 2}),
            "a@old": frozenset({1}),
            "a.alias@old": frozenset({1}),
            "b@old": frozenset({2}),
        },
        {"a@new": frozenset({1}), "b@new": frozenset({2})},
    )
    asked = {"post@old", "desk@old", "b@old", "a@old", "a.alias@old"}
    assert Parties(found(known), directory).people(asked) == {"a@old": "a", "a.alias@old": "a"}


def test_who_is_only_spelled_alike_gets_nothing(tmp_path: Path) -> None:
    known = {"strasse@old": Seat("strasse@old", "a", "a@new", "")}
    directory = Directory(
        {"strasse@old": frozenset({1}), "alias@old": frozenset({1})}, {"a@new": frozenset({1})}
    )
    parties = Parties(found(known), directory, groups=read_groups(_groups(tmp_path, "Fußgänger", "walkers")))
    assert parties.people({"straße@old", "alias@old"}) == {"alias@old": "a"}
    assert (parties.group("Fussgänger"), parties.group("fußgänger")) == (None, "walkers")


def _groups(folder: Path, source: str, target: str) -> Path:
    file = folder / "groups.csv"
    file.write_text(f"source,target\n{source},{target}\n", encoding="utf-8")
    return file


def test_an_address_of_the_target_is_not_whose_it_was_at_the_source() -> None:
    known = {"m@old": Seat("m@old", "m", "m@new", ""), "n@old": Seat("n@old", "n", "x@old", "")}
    directory = Directory({"n@old": frozenset({1})}, {"x@old": frozenset({1})})
    assert Parties(found(known), directory).people({"x@old", "n@old"}) == {"n@old": "n"}


@pytest.mark.parametrize(
    "denied", ["a@old", "a@new", "a.upn@old", "alias@old", "other@old", "acct@x", "@upn", "a.second@new"]
)
def test_nothing_is_shared_with_whom_the_deny_list_names(denied: str) -> None:
    known = {"a@old": Seat("a.upn@old", "acct", "a@new", ""), "b@old": Seat("b@old", "b", "b@new", "")}
    directory = Directory(
        {name: frozenset({1}) for name in ("a@old", "alias@old", "other@old", "a@upn")},
        {"a@new": frozenset({1}), "a.second@new": frozenset({1})},
    )
    asked = {"a@old", "alias@old", "b@old"}
    assert Parties(found(known), directory).people(asked).keys() == asked
    assert Parties(found(known), directory, DenyList(frozenset({denied}))).people(asked) == {"b@old": "b"}


def test_a_directory_that_gives_the_account_to_another_by_now() -> None:
    known = {"a@old": Seat("a@old", "a", "b@new", "")}
    directory = Directory(
        {"a@old": frozenset({1}), "b@old": frozenset({2})}, {"a@new": frozenset({1}), "b@new": frozenset({2})}
    )
    assert Parties(found(known), directory).people({"a@old"}) == {}


def test_the_configuration_says_what_groups_and_logins_are_called(tmp_path: Path) -> None:
    (tmp_path / "lists").mkdir()
    (tmp_path / "lists" / "groups.csv").write_text("source,target\nTeam West,west\n")
    file = tmp_path / "kogge.toml"
    file.write_text(
        """
        [source]
        kind = "graph"
        tenant = "t"
        client_id = "c"
        client_secret = { env = "SECRET" }
        [target.files]
        kind = "nextcloud"
        url = "https://cloud.example"
        username = "{address}"
        password = { env = "SECRET" }
        groups = "lists/groups.csv"
        groups_by_name = true
        """
    )
    ledger = Ledger(f"sqlite:///{tmp_path}/ledger.db")
    ledger.migrate()
    planned = PlannedMailbox("b@old", "b@new", "w", Phase.STAGING, frozenset({Kind.FILES}), target_login="b")
    ledger.add_mailboxes([planned])
    (leg,) = ledger.legs()
    lease = ledger.claim(leg.id, "worker", 60)
    assert lease is not None
    ledger.bind(lease, Identity("graph", "b"), Identity("nextcloud", "b"), "directory")
    ledger.release(lease, LegState.VERIFIED)
    directory = Directory({"b@old": frozenset({1}), "alias@old": frozenset({1})}, {"b@new": frozenset({1})})
    made = parties(load(file), ledger, GateRules(directory=directory))
    assert made.people({"b@old", "alias@old"}) == {"b@old": "b@new", "alias@old": "b@new"}
    assert (made.group("team west"), made.group("Team Ost")) == ("west", "Team Ost")
    denying = parties(load(file), ledger, GateRules(directory=directory, deny=DenyList(frozenset({"@old"}))))
    assert denying.people({"b@old"}) == {}
    ledger.close()


def test_groups_by_their_name_or_by_the_list(tmp_path: Path) -> None:
    file = tmp_path / "groups.csv"
    lines = ["source;target;note", "Team West;west;x", "team@old.example;team;", f"{BAUAMT.upper()};bau;"]
    file.write_text("\n".join(lines))
    names = ("TEAM west", "team@old.example", "Bauamt", BAUAMT, PRESSE)
    listed = Parties(groups=read_groups(file))
    assert [*map(listed.group, names)] == ["west", "team", None, "bau", None]
    by_name = replace(listed, by_name=True)
    assert [*map(by_name.group, names)] == ["west", "team", "Bauamt", "bau", None]


@pytest.mark.parametrize("line", ["Team West,", ",west", "team west,east"])
def test_a_list_of_groups_that_cannot_be_is_refused(tmp_path: Path, line: str) -> None:
    file = tmp_path / "groups.csv"
    file.write_text(f"source,target\nTeam West,west\n{line}\n")
    with pytest.raises(Misconfigured, match=r"groups\.csv:3") as refused:
        read_groups(file)
    assert "west" not in str(refused.value).lower()
