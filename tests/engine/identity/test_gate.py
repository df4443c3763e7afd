"""The gate: whose mailbox is it, and who must not be touched."""

from __future__ import annotations

import io
import unicodedata
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from connectors.settings import Account
from engine.config.mail_address import is_address
from engine.identity.identity_gate import ARTEFACTS_MOST, GateRules, Pair, is_filled, prove_identity
from engine.planning.deny_list import DenyList
from engine.planning.mailbox_list import Directory, canonical, exact, read_directory
from model.errors import Blocked
from model.kinds import Kind
from model.protocols import Capabilities, Container, Identity, Listed, Native, Ref
from model.sites import Site

ANNA_OLD, ANNA = "anna@old.example", "anna@new.example"
ONE = frozenset({1})


@dataclass
class Side:
    """A system that states these addresses, and holds nothing."""

    addresses: frozenset[str] = frozenset()
    self_stated: bool = False
    lent: bool = False

    def identity(self) -> Identity:
        return Identity("memory", "7", self.addresses, lent=self.lent, self_stated=self.self_stated)

    def containers(self) -> Iterator[Container]:
        return iter(())


def level(pair: Pair, source: Side, target: Side, rules: GateRules) -> str:
    everything = GateRules(rules.directory, rules.deny, rules.accept, approved=lambda _code: True)
    return prove_identity(pair, source, target, everything).level  # type: ignore[arg-type]


def pair(source: str = ANNA_OLD, target: str = ANNA, **logins: str) -> Pair:
    return Pair(
        Account(login=logins.get("source_login", source), address=source),
        Account(login=logins.get("target_login", target), address=target),
    )


def states(*addresses: str) -> Side:
    return Side(frozenset(addresses))


@pytest.mark.parametrize(
    ("given", "source", "target", "expected"),
    [
        (pair(), states(ANNA_OLD, ANNA), states(ANNA), "address"),
        (pair(ANNA, ANNA), states(), states(ANNA), "address"),
        (pair(ANNA, ANNA, source_login="Anna@New.example"), states(), states(ANNA), "address"),
        (pair(ANNA, ANNA, source_login="bernd"), states(), states(ANNA), "asserted"),
        (pair(ANNA, ANNA), states(), states(), "asserted"),
        (pair(ANNA, ANNA), states(ANNA), states(), "asserted"),
    ],
)
def test_address_is_what_both_sides_say(given: Pair, source: Side, target: Side, expected: str) -> None:
    assert level(given, source, target, GateRules()) == expected


OFFICE = "info@new.example"
BOB = "bob@new.example"


@pytest.mark.parametrize(
    ("source", "target"),
    [
        (states(ANNA_OLD, OFFICE), states(BOB, OFFICE)),
        (states(ANNA_OLD, OFFICE), states(OFFICE)),
        (states(ANNA_OLD, ANNA), states(BOB, ANNA_OLD)),
        (states(ANNA_OLD, OFFICE), states(ANNA, OFFICE)),
    ],
)
def test_an_alias_that_both_state_proves_nobody(source: Side, target: Side) -> None:
    given = pair(target_login="bob")
    assert level(given, source, target, GateRules()) == "asserted"
    assert level(pair(), source, target, GateRules()) == "asserted"


def test_an_alias_does_not_open_what_the_directory_names() -> None:
    """The login is an alias of somebody else's account, as that account itself says."""
    rules = GateRules(directory=Directory({ANNA_OLD: ONE}, {ANNA: ONE, "anna.b@new.example": ONE}))
    assert level(pair(), states(ANNA_OLD, OFFICE), states(BOB, OFFICE), rules) == "asserted"
    assert level(pair(), states(ANNA_OLD, OFFICE), states("anna.b@new.example", OFFICE), rules) == "directory"


def test_an_account_that_states_no_address_of_the_row_is_another_one() -> None:
    """Also if the directory gives its address to the same person: the row names another account."""
    rules = GateRules(directory=Directory({ANNA_OLD: ONE}, {ANNA: ONE, "anna.b@new.example": ONE}))
    with pytest.raises(Blocked) as raised:
        level(pair(), states(ANNA_OLD), states("anna.b@new.example"), rules)
    assert raised.value.code == "target-address-differs"


ALIKE = [
    ("strasse@x.example", "straße@x.example"),
    ("anna@strasse.example", "anna@straße.example"),
    ("fiona@x.example", "\N{LATIN SMALL LIGATURE FI}ona@x.example"),
    ("kay@x.example", "\N{FULLWIDTH LATIN SMALL LETTER K}ay@x.example"),
    ("kay@x.example", "\N{KELVIN SIGN}ay@x.example"),
    ("niko\N{GREEK SMALL LETTER SIGMA}@x.example", "niko\N{GREEK SMALL LETTER FINAL SIGMA}@x.example"),
    ("x2@x.example", "x\N{SUPERSCRIPT TWO}@x.example"),
]
"""Two names that one of Unicode's foldings makes one, and that servers keep apart."""


@pytest.mark.parametrize("names", ALIKE)
@pytest.mark.parametrize("turned", [False, True])
def test_a_login_that_only_looks_like_the_address_opens_another_account(
    names: tuple[str, str], turned: bool
) -> None:
    mine, anothers = names[::-1] if turned else names
    listed = GateRules(Directory({mine: ONE, ANNA_OLD: ONE}, {mine: ONE, ANNA: ONE}))
    for rules in (GateRules(), listed):
        given = pair(mine, ANNA, source_login=anothers)
        assert level(given, states(), states(ANNA, mine), rules) == "asserted"
        given = pair(ANNA_OLD, mine, target_login=anothers)
        assert level(given, states(ANNA_OLD, mine), states(), rules) == "asserted"


@pytest.mark.parametrize("names", ALIKE)
@pytest.mark.parametrize("turned", [False, True])
def test_the_directory_names_nobody_who_is_only_spelled_alike(names: tuple[str, str], turned: bool) -> None:
    listed, anothers = names[::-1] if turned else names
    rules = GateRules(Directory({listed: ONE, ANNA_OLD: ONE}, {listed: ONE, ANNA: ONE}))
    with pytest.raises(Blocked) as raised:
        level(pair(anothers, ANNA), states(), states(ANNA), rules)
    assert raised.value.code == "target-address-differs"
    assert level(pair(anothers, ANNA), states(), states(), rules) == "asserted"
    assert level(pair(ANNA_OLD, anothers), states(ANNA_OLD), states(), rules) == "asserted"
    of_site = GateRules(Directory(sites={SITE: frozenset({exact(listed)})}))
    assert level(pair(SITE, listed), states(), states(), of_site) == "directory"
    with pytest.raises(Blocked) as raised:
        level(pair(SITE, anothers), states(), states(), of_site)
    assert raised.value.code == "directory-disagrees"


@pytest.mark.parametrize(
    ("listed", "written"),
    [("ANNA@Old.example", "anna@old.EXAMPLE"), ("anna@xn--grn-ioa.example", "Anna@GRÜN.example")],
)
def test_capitals_and_the_two_ways_to_write_a_domain_are_one_name(listed: str, written: str) -> None:
    rules = GateRules(Directory({listed: ONE}, {ANNA: ONE}))
    assert level(pair(written, ANNA), states(), states(ANNA), rules) == "directory"
    assert level(pair(listed, ANNA, source_login=written), states(), states(ANNA), rules) == "directory"


def test_what_people_write_into_their_profile_proves_nothing() -> None:
    bobs = Side(frozenset({ANNA, ANNA_OLD}), self_stated=True)
    given, source = pair(target_login="bob"), states(ANNA_OLD, ANNA)
    found = prove_identity(given, source, bobs, GateRules(approved=lambda _code: True))  # type: ignore[arg-type]
    assert (found.level, found.self_stated) == ("asserted", True)
    with pytest.raises(Blocked) as raised:
        prove_identity(given, source, bobs, GateRules())  # type: ignore[arg-type]
    assert raised.value.code == "identity-not-proven"
    named = GateRules(directory=Directory({ANNA_OLD: ONE}, {ANNA: ONE}))
    assert level(given, source, bobs, named) == "asserted"


def test_what_is_only_asserted_is_not_called_self_stated() -> None:
    rules = GateRules(approved=lambda _code: True)
    found = prove_identity(pair(ANNA, ANNA), states(), states(), rules)  # type: ignore[arg-type]
    assert (found.level, found.self_stated) == ("asserted", False)


def test_a_directory_of_user_ids_proves_ten_people(tmp_path: Path) -> None:
    """Neither side states an address, and no login is one."""
    people = [f"person{number}" for number in range(10)]
    rows = [f"{one}@old.example|{one},{one}@new.example|id-{one}" for one in people]
    (tmp_path / "directory.csv").write_text("\n".join(["source,target", *rows]))
    rules = GateRules(read_directory(tmp_path / "directory.csv"))
    for one in people:
        given = pair(f"{one}@old.example", f"{one}@new.example", source_login=one, target_login=f"id-{one}")
        assert level(given, states(), states(), rules) == "directory"
    wrong = pair("person1@old.example", "person1@new.example", target_login="id-person2")
    assert level(wrong, states(), states(), rules) == "asserted"


def test_the_directory_goes_before_what_people_write_into_their_profile() -> None:
    private = Side(frozenset({"anna@elsewhere.example"}), self_stated=True)
    rules = GateRules(directory=Directory({ANNA_OLD: ONE}, {ANNA: ONE, "anna01": ONE}))
    assert level(pair(), states(ANNA_OLD), private, rules) == "directory"
    assert level(pair(target_login="anna01"), states(ANNA_OLD), private, rules) == "directory"
    with pytest.raises(Blocked) as raised:
        level(pair(target_login="bob"), states(ANNA_OLD), private, rules)
    assert raised.value.code == "target-address-differs"


@pytest.mark.parametrize("side", ["source", "target"])
def test_a_folder_that_somebody_lends_is_not_proven_by_the_account(side: str) -> None:
    lent = {"source": Side(frozenset({ANNA_OLD, ANNA})), "target": Side(frozenset({ANNA}))}
    lent[side].lent = True
    rules = GateRules(directory=Directory({ANNA_OLD: ONE}, {ANNA: ONE}))
    assert level(pair(), lent["source"], lent["target"], rules) == "asserted"


def test_a_login_that_is_not_the_address_named_proves_nothing() -> None:
    directory = Directory({ANNA_OLD: ONE}, {ANNA: ONE})
    rules = GateRules(directory=directory)
    assert level(pair(), states(), states(), rules) == "directory"
    assert level(pair(source_login="bernd"), states(), states(ANNA), rules) == "asserted"
    assert level(pair(target_login="bernd"), states(), states(), rules) == "asserted"


SITE, OFFICIAL = "site:files.old.example:/sites/bauamt", "bauamt@new.example"
GIVEN = {SITE: frozenset({OFFICIAL, "bauamt01", "bauamt"})}


@pytest.mark.parametrize(
    ("given", "target", "sites", "expected"),
    [
        (pair(SITE, OFFICIAL), states(), GIVEN, "directory"),
        (pair(SITE, OFFICIAL), states(OFFICIAL), GIVEN, "directory"),
        (pair(SITE, OFFICIAL), states(OFFICIAL), {}, "asserted"),
        (pair(SITE, OFFICIAL), Side(frozenset({BOB}), self_stated=True), GIVEN, "directory"),
        (pair(SITE, "bauamt"), states(BOB), GIVEN, "directory"),
        (pair(SITE, OFFICIAL, target_login="bauamt01"), states(), GIVEN, "directory"),
        (pair(SITE, OFFICIAL, target_login="bob"), states(OFFICIAL), GIVEN, "directory"),
        (pair(SITE, OFFICIAL, target_login="bob"), states(), GIVEN, "asserted"),
        (pair(SITE, OFFICIAL, target_login="bob"), Side(frozenset({OFFICIAL}), True), GIVEN, "asserted"),
    ],
)
def test_only_the_directory_says_who_may_hold_a_site(
    given: Pair, target: Side, sites: dict[str, frozenset[str]], expected: str
) -> None:
    assert level(given, states(), target, GateRules(Directory(sites=sites))) == expected


@pytest.mark.parametrize(
    ("given", "target", "code"),
    [
        (pair(SITE, BOB), states(BOB), "directory-disagrees"),
        (pair(SITE, OFFICIAL), states(BOB), "target-address-differs"),
        (pair(SITE, OFFICIAL, target_login="bob"), states(BOB), "target-address-differs"),
        (pair(SITE, OFFICIAL, target_login="bob"), Side(frozenset({BOB}), True), "target-address-differs"),
    ],
)
def test_a_site_does_not_go_to_somebody_else(given: Pair, target: Side, code: str) -> None:
    with pytest.raises(Blocked) as raised:
        level(given, states(), target, GateRules(Directory(sites=GIVEN)))
    assert raised.value.code == code


@pytest.mark.parametrize(
    ("entry", "given"),
    [
        ("richter@court.example", pair("vorsitz@old.example", source_login="richter")),
        ("richter@court.example", pair("vorsitz@old.example", source_login="COURT\\Richter")),
        ("jürgen@court.example", pair(unicodedata.normalize("NFD", "Jürgen@court.example"))),
        ("@court.example", pair("x@court.example.")),
        ("@court.example", pair(" x@COURT.example ")),
        ("x@xn--grn-ioa.example", pair("x@grün.example")),
        ("x@court.example", pair("x@court.example".replace("x", "\N{FULLWIDTH LATIN SMALL LETTER X}"))),
        ("ceo@old.example", pair("ceo+x@old.example")),
        ("ceo@old.example", pair(source_login="ceo%old.example")),
        ("ceo@old.example", pair(source_login="CEO+x%old.example@mail.example")),
        ("ceo@old.example", pair(source_login="ceo+x")),
        ("@court.example", pair("x@sub.court.example")),
        ("@court.example", pair(target_login="x%sub.court.example")),
        ("anna.alias@new.example", pair()),
        ("anna.elsewhere@old.example", pair()),
    ],
)
def test_whom_the_deny_list_names_in_any_spelling(entry: str, given: Pair) -> None:
    directory = Directory(
        {ANNA_OLD: ONE, "anna.elsewhere@old.example": ONE}, {ANNA: ONE, "anna.alias@new.example": ONE}
    )
    with pytest.raises(Blocked) as raised:
        level(given, states(), states(), GateRules(directory, DenyList(frozenset({entry}))))
    assert raised.value.code == "denied"


@pytest.mark.parametrize("entry", ["other@old.example", "@ld.example", "ann@old.example", "@x.old.example"])
def test_whom_the_deny_list_does_not_name(entry: str) -> None:
    rules = GateRules(Directory({ANNA_OLD: ONE}, {ANNA: ONE}), DenyList(frozenset({entry})))
    assert level(pair(source_login="anna2"), states(ANNA_OLD), states(), rules) == "directory"


def test_an_address_that_only_the_server_tells_leads_to_the_directory_as_well() -> None:
    directory = Directory({"a@x.example": ONE, "judge@court.example": ONE}, {})
    rules = GateRules(directory, DenyList(frozenset({"@court.example"})))
    with pytest.raises(Blocked) as raised:
        level(pair(), states(ANNA_OLD, "a@x.example"), states(), rules)
    assert raised.value.code == "denied"


@pytest.mark.parametrize("text", ["x@court.example.", "x@.court.example", "x@court..example"])
def test_a_domain_has_no_empty_part(text: str) -> None:
    assert not is_address(text)


@pytest.mark.parametrize("text", ["x@" + "a" * 80 + ".example", "x@", "@x.example", "Straße@x.example", ""])
def test_one_spelling_stays_as_it_is(text: str) -> None:
    assert canonical(canonical(text)) == canonical(text)


@given(
    st.text(alphabet=st.characters(codec="ascii"))
    | st.from_regex(r"[A-Za-z.+%-]*@[A-Za-z.-]*", fullmatch=True)
)
def test_an_ascii_name_is_spelled_as_any_other(text: str) -> None:
    """It takes a short way."""
    text = text.lstrip()
    assume(Site.read(text) is None)
    assert canonical(f"é{text}") == f"é{canonical(text)}"


@dataclass
class Shared(Side):
    """Holds one calendar with one item, which is the account's own or is not, for this reason."""

    omit: str | None = None
    capabilities: ClassVar = Capabilities(frozenset({Kind.CALENDAR}))

    def containers(self) -> Iterator[Container]:
        return iter([Container(Kind.CALENDAR, "/c/", ("Team",), omit=self.omit)])

    def listing(self, _href: str, _since: str | None = None) -> Iterator[Listed]:
        return iter([Listed("k.ics", 1)])


@pytest.mark.parametrize(("omit", "ours"), [("shared", ()), (None, ("/c/",))])
def test_what_is_not_in_the_account_or_is_ours_does_not_fill_it(
    omit: str | None, ours: tuple[str, ...]
) -> None:
    target = Shared(frozenset({ANNA}), omit=omit)
    found = prove_identity(pair(), states(ANNA_OLD, ANNA), target, GateRules(), frozenset(ours))  # type: ignore[arg-type]
    assert found.level == "address"


def test_what_is_in_the_account_fills_it() -> None:
    with pytest.raises(Blocked) as raised:
        prove_identity(pair(), states(ANNA_OLD, ANNA), Shared(frozenset({ANNA})), GateRules())  # type: ignore[arg-type]
    assert raised.value.code == "target-not-empty"


@dataclass
class Welcomed(Side):
    """Holds this many mails, all of which begin like a welcome mail."""

    mails: int = 0
    total: int | None = None
    capabilities = Capabilities(frozenset({Kind.MAIL}))

    def containers(self) -> Iterator[Container]:
        return iter([Container(Kind.MAIL, "INBOX", ("INBOX",), total=self.total)])

    def listing(self, _href: str, _since: str | None = None) -> Iterator[Listed]:
        return (Listed(f"7:{number}", 30) for number in range(self.mails))

    def read(self, _href: str, hrefs: Sequence[str]) -> Iterator[tuple[str, Native]]:
        for href in hrefs:
            yield href, Native(Ref(href, "1"), "rfc822", {}, lambda: io.BytesIO(b"Subject: Welcome\r\n\r\n"))


def test_a_count_is_not_believed() -> None:
    """A server may take the counts of its folders from an index that is older than the folders."""
    assert is_filled(Welcomed(mails=1, total=0), (), ())  # type: ignore[arg-type]


@dataclass
class Telling(Welcomed):
    """Tells which of its folders are empty; one is Kogge's, one a colleague's."""

    asked: list[str] = field(default_factory=list)
    told: frozenset[str] = frozenset()

    def containers(self) -> Iterator[Container]:
        shared = Container(Kind.MAIL, "Shared", ("Shared",), omit="shared-folder")
        return iter([*super().containers(), Container(Kind.MAIL, "Ours", ("Ours",)), shared])

    def empty(self, hrefs: Collection[str]) -> frozenset[str]:
        self.asked += hrefs
        return self.told


def test_folders_that_are_not_told_to_be_empty_are_looked_into() -> None:
    target = Telling(mails=1)
    assert is_filled(target, (), {"Ours"})  # type: ignore[arg-type]
    assert target.asked == ["INBOX"]


def test_an_empty_folder_is_not_looked_into_again() -> None:
    assert not is_filled(Telling(mails=1, told=frozenset({"INBOX"})), (), {"Ours"})  # type: ignore[arg-type]


def filled(mails: int) -> bool:
    return is_filled(Welcomed(mails=mails), ["Welcome"], ())  # type: ignore[arg-type]


def test_only_a_few_items_can_be_artefacts() -> None:
    """Many items that begin like a welcome mail are somebody's mail."""
    assert [filled(ARTEFACTS_MOST), filled(ARTEFACTS_MOST + 1)] == [False, True]
    assert ARTEFACTS_MOST <= 10


@dataclass
class Sent(Side):
    """Has sent these mails under its own address, and these under somebody else's."""

    own: int = 0
    foreign: int = 0

    def sent_from(self, limit: int) -> list[str]:
        return ([ANNA_OLD.title()] * self.own + [BOB] * self.foreign)[:limit]


@pytest.mark.parametrize(("own", "foreign"), [(0, 0), (1, 0), (3, 0), (4, 4), (5, 4)])
def test_who_sent_at_least_half_of_the_sent_items_is_plausible(own: int, foreign: int) -> None:
    source = Sent(frozenset({ANNA_OLD, ANNA}), own=own, foreign=foreign)
    found = prove_identity(pair(), source, states(ANNA), GateRules())  # type: ignore[arg-type]
    assert found.level == "address"


@pytest.mark.parametrize(("own", "foreign"), [(0, 1), (4, 5)])
def test_who_sent_less_than_half_of_the_sent_items_is_not(own: int, foreign: int) -> None:
    source = Sent(frozenset({ANNA_OLD, ANNA}), own=own, foreign=foreign)
    with pytest.raises(Blocked) as raised:
        prove_identity(pair(), source, states(ANNA), GateRules())  # type: ignore[arg-type]
    assert raised.value.code == "sent-items-implausible"
