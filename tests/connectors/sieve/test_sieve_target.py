"""Rules on a real Pigeonhole: they are written, found again and removed, and act only when they are let."""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from servers.pigeonhole import Pigeonhole
from sieve_desk import MAIL, PERSONS, OpenTarget, codes, item, meaning, of_text, rule, written

from connectors.settings import Account
from connectors.sieve.record import NAME
from connectors.sieve.session import Script, Session
from connectors.sieve.settings import SieveSettings
from connectors.sieve.target import SieveTarget
from model.errors import Blocked, LeaseLost
from model.protocols import Amendment, Native, Stored

DIALECTS = ("plain", "roundcube", "open-xchange", "nextcloud-mail")


def bodies(target: SieveTarget) -> dict[str, str]:
    """What is read back, by href."""
    found = {}
    for href, native in target.read("rules", [each.href for each in target.listing("rules")]):
        assert isinstance(native, Native)
        assert native.body is not None
        with native.body() as stream:
            found[href] = stream.read().decode()
    return found


def test_what_is_written_is_listed_and_read_back(target: OpenTarget) -> None:
    opened = target()
    odd = rule('Mü"]|\u2028x', 2, notes=("one", "two"), active=False, test="true")
    results = written(opened, item(rule()), item(odd))
    assert (
        bodies(opened)
        == {item(each).key.hex(): each.text() for each in (rule(), odd)}
        == {each.href: text for each, text in zip(results, (rule().text(), odd.text()), strict=True)}
    )
    assert {each.size for each in opened.listing("rules")} == {len(rule().text()), len(odd.text().encode())}
    assert [each.total for each in opened.containers()] == [2]


def test_nothing_acts_before_it_is_let(target: OpenTarget, session: Session, pigeonhole: Pigeonhole) -> None:
    opened = target()
    written(opened, item(rule()))
    assert session.scripts() == (Script(NAME, active=False),)
    session.activate(NAME)
    pigeonhole.deliver(session.account.login, MAIL.format("Bills"))
    assert pigeonhole.subjects(session.account.login, "INBOX") == ["Bills"]


def test_a_rule_that_is_written_twice_is_there_once(target: OpenTarget, session: Session) -> None:
    opened = target()
    written(opened, item(rule()))
    before = session.read(NAME)
    written(opened, item(rule()))
    assert session.read(NAME) == before


def test_a_new_version_takes_the_place_of_the_old_one(target: OpenTarget) -> None:
    opened = target()
    written(opened, item(rule()))
    written(opened, item(rule(place=7)))
    assert list(bodies(opened).values()) == [rule(place=7).text()]


def test_live_only_adds(target: OpenTarget) -> None:
    (first,) = written(target(), item(rule()))
    live = target(live=True)
    assert codes(list(live.write("rules", [item(rule(place=7)), item(rule("New"))]))) == ["changed-at-target"]
    assert sorted(bodies(live).values()) == sorted([rule().text(), rule("New").text()])
    for refused in (
        lambda: live.remove("rules", [first]),
        lambda: live.amend("rules", []),
    ):
        with pytest.raises(Blocked, match="live-phase"):
            list(refused())


def test_remove_takes_what_is_ours_and_unchanged(target: OpenTarget, session: Session) -> None:
    opened = target()
    bills, other = written(opened, item(rule()), item(rule("Other")))
    assert codes(list(opened.remove("rules", [replace(bills, digest=b"x")]))) == ["changed-at-target"]
    assert codes(list(opened.remove("rules", [bills]))) == []
    assert codes(list(opened.remove("rules", [bills]))) == []
    assert list(bodies(opened).values()) == [rule("Other").text()]
    assert codes(list(opened.remove("rules", [other]))) == []
    assert session.scripts() == ()


def test_amend_changes_nothing(target: OpenTarget) -> None:
    opened = target()
    (bills,) = written(opened, item(rule()))
    gone = Stored(b"g" * 16, "g")
    changes = [
        Amendment(bills, frozenset()),
        Amendment(bills, frozenset({"\\Seen"})),
        Amendment(gone, frozenset()),
    ]
    assert codes(list(opened.amend("rules", changes))) == ["flag-not-allowed", "vanished"]


def test_one_rule_that_the_server_refuses_stops_no_other(target: OpenTarget) -> None:
    opened = target()
    bad = rule("Bad", actions=('bogus "x";',))
    needy = rule("Needy", extensions=frozenset({"editheader"}))
    items = [
        item(bad),
        item(rule()),
        item(needy),
        of_text("no rule", "n"),
        of_text(rule().text() + "\r\n", "r"),
    ]
    results = list(opened.write("rules", items))
    assert codes(results) == ["refused-by-target"] * 4
    assert list(bodies(opened).values()) == [rule().text()]


def test_a_record_that_somebody_changed_is_left_alone(target: OpenTarget, session: Session) -> None:
    written(target(), item(rule()))
    session.put(NAME, (session.read(NAME) or b"").replace(b"Archive", b"Trash") + b"keep;\r\n")
    with pytest.raises(Blocked, match="script-unreadable"):
        list(target().write("rules", [item(rule("New"))]))


def test_a_lost_lease_writes_nothing(target: OpenTarget, session: Session) -> None:
    def lost() -> None:
        raise LeaseLost("lease-lost")

    with pytest.raises(LeaseLost):
        list(target(lost).write("rules", [item(rule())]))
    assert session.scripts() == ()


def test_a_lease_that_is_lost_within_a_long_script_writes_nothing(
    target: OpenTarget, session: Session
) -> None:
    asked: list[int] = []

    def lost() -> None:
        asked.append(1)
        if len(asked) == 2:
            raise LeaseLost("lease-lost")

    many = [item(rule(f"{number} {'x' * 900}", number)) for number in range(60)]
    opened = target(lost)
    with pytest.raises(LeaseLost):
        list(opened.write("rules", many))
    assert session.scripts() == ()
    written(opened, *many)
    assert len(bodies(opened)) == 60


def test_identity_is_the_login_where_the_server_says_nothing(target: OpenTarget, user: str) -> None:
    identity = target().identity()
    assert identity == target().identity()
    assert user not in f"{identity}"
    assert identity.user == ""


@pytest.mark.parametrize("dialect", DIALECTS)
def test_rules_act_below_those_of_the_person(
    dialect: str, target: OpenTarget, session: Session, pigeonhole: Pigeonhole
) -> None:
    login = session.account.login
    session.put("own", PERSONS)
    session.activate("own")
    opened = target(dialect=dialect)
    off = rule("Off", 3, active=False)
    deep = rule("Deep", 2, test='allof(true, not anyof(true, header :contains "Subject" "Deep"))')
    written(opened, item(rule()), item(off), item(deep))
    done = opened.take_effect()
    assert done.added == {item(each).key.hex() for each in (rule(), off, deep)}
    assert done.replaced is (dialect == "open-xchange")
    for subject in ("mine", "Bills", "Off", "Deep"):
        pigeonhole.deliver(login, MAIL.format(subject))
    assert sorted(pigeonhole.subjects(login, "Archive")) == ["Bills", "mine"]
    assert sorted(pigeonhole.subjects(login, "INBOX")) == ["Deep", "Off"]
    active = next(each.name for each in session.scripts() if each.active)
    assert active == ("Open-Xchange" if dialect == "open-xchange" else "own")
    assert PERSONS in (session.read(active) or b"")
    if dialect == "open-xchange":
        assert session.read("own") == PERSONS
    opened.give_back()
    assert session.read("own") == PERSONS
    assert {(each.name, each.active) for each in session.scripts()} == {("own", True), (NAME, False)}


@pytest.mark.parametrize("dialect", DIALECTS)
def test_rules_act_where_nothing_was(dialect: str, target: OpenTarget, session: Session) -> None:
    opened = target(dialect=dialect)
    written(opened, item(rule()))
    opened.take_effect()
    assert [each.active for each in session.scripts() if each.name != NAME] == [True]
    opened.give_back()
    assert session.scripts() == (Script(NAME, active=False),)
    opened.give_back()
    assert bodies(opened) == {item(rule()).key.hex(): rule().text()}


@pytest.mark.parametrize("auth", ["password", "master-user", "plain-authzid"])
def test_each_login_opens_the_account(
    auth: str, settings: Callable[..., SieveSettings], pigeonhole: Pigeonhole, user: str, tmp_path: Path
) -> None:
    secret = tmp_path / "secret"
    secret.write_text(pigeonhole.user_password if auth == "password" else pigeonhole.master_password)
    given = settings(auth=auth, password={"file": str(secret)})
    opened = Session(given, Account(login=user), lambda: None)
    opened.put("mine", b"keep;\r\n")
    opened.close()
    assert (pigeonhole.home(user) / "sieve" / "mine.sieve").exists()


def test_a_wrong_password_is_not_tried_again(
    settings: Callable[..., SieveSettings], user: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WRONG", "wrong")
    opened = Session(settings(password={"env": "WRONG"}), Account(login=user), lambda: None)
    for _ in range(2):
        with pytest.raises(Blocked, match="login-refused"):
            opened.scripts()


def test_a_certificate_that_nobody_signed_gets_no_password(
    settings: Callable[..., SieveSettings], user: str
) -> None:
    opened = Session(settings(tls={}), Account(login=user), lambda: None)
    with pytest.raises(Blocked, match="tls-failed"):
        opened.scripts()


def test_limits_are_what_the_server_states(target: OpenTarget) -> None:
    limits = target().limits
    assert limits.redirects == 7
    assert limits.script_bytes == 1 << 19
    assert {"fileinto", "vacation", "copy"} <= limits.extensions
    assert "editheader" not in limits.extensions


def test_digest_is_that_of_the_text() -> None:
    assert meaning(io.BytesIO(rule().text().encode())) == item(rule()).digest
