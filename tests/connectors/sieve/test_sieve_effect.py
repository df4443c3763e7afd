"""What takes effect, beside what a person has done: nothing is lost, nothing acts that was switched off."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from servers.pigeonhole import Pigeonhole
from sieve_desk import MAIL, PERSONS, OpenTarget, codes, item, reset, rule, world, written

from connectors.sieve import session as sessions
from connectors.sieve.record import NAME, load, save
from connectors.sieve.session import Session
from connectors.sieve.take_effect import TookEffect
from connectors.sieve.wire import Answer
from model.errors import MigrationError, Transient
from model.protocols import Failed
from model.taking_effect import Effect


def code_of(call: Callable[[], object]) -> str:
    with pytest.raises(MigrationError) as raised:
        call()
    return raised.value.code


def text_of(session: Session, name: str) -> bytes:
    text = session.read(name)
    assert text is not None
    return text


def active_text(session: Session) -> bytes:
    """The script that acts."""
    (name,) = [one.name for one in session.scripts() if one.active]
    return session.read(name) or b""


@pytest.fixture
def acting(target: OpenTarget, session: Session) -> None:
    """Two rules act below the person's own."""
    reset(session, {"own": PERSONS}, "own")
    opened = target()
    written(opened, item(rule()), item(rule("Other", 2)))
    opened.take_effect()


def test_a_repeat_changes_nothing(target: OpenTarget, session: Session, acting: None) -> None:
    del acting
    before = world(session)
    for live in (False, True):
        done = target(live=live).take_effect()
        assert (done.added, done.touched, done.removed) == (frozenset(), frozenset(), frozenset())
    assert world(session) == before


def test_each_rule_says_what_it_does_now(target: OpenTarget, session: Session) -> None:
    reset(session, {"own": PERSONS}, "own")
    opened = target()
    rules = [
        item(rule()),
        item(rule("Other", 2)),
        item(rule("Third", 3)),
        item(rule("Sleeps", 4, active=False)),
    ]
    written(opened, *rules)
    hrefs = [one.key.hex() for one in rules]
    assert opened.effects() == dict.fromkeys(hrefs[:3], Effect.WAITS) | {hrefs[3]: Effect.OFF}
    opened.take_effect()
    first = [Effect.ACTS, Effect.ACTS, Effect.ACTS, Effect.OFF]
    assert opened.effects() == dict(zip(hrefs, first, strict=True))
    text = text_of(session, "own")
    second, third = (text.index(f"# kogge rule {href}".encode()) for href in hrefs[1:3])
    session.put("own", text[:second] + text[third:].replace(b'"Third"', b'"Fourth"'))
    now = [Effect.ACTS, Effect.ENDED, Effect.CHANGED, Effect.OFF]
    assert target(live=True).effects() == dict(zip(hrefs, now, strict=True))
    session.activate("")
    assert set(target(live=True).effects().values()) == {Effect.ENDED}, "another script, or none, acts now"


def test_while_frozen_the_rules_follow_the_source(target: OpenTarget, session: Session, acting: None) -> None:
    del acting
    opened = target()
    written(opened, item(rule(actions=("discard;",))), item(rule("First", 0)))
    opened.take_effect()
    text = text_of(session, "own").decode()
    assert text.startswith('require ["fileinto"]; # kogge\r\n' + PERSONS.decode())
    assert text.index("# rule: First") < text.index("# rule: Bills") < text.index("discard;")
    opened.give_back()
    assert session.read("own") == PERSONS


def test_live_adds_what_is_missing_and_nothing_else(
    target: OpenTarget, session: Session, acting: None
) -> None:
    del acting
    before = text_of(session, "own")
    live = target(live=True)
    assert codes(list(live.write("rules", [item(rule(actions=("discard;",))), item(rule("First", 0))])))
    done = live.take_effect()
    assert done.added == {item(rule("First", 0)).key.hex()}
    end = b"# kogge end\r\n"
    assert text_of(session, "own").startswith(before.removesuffix(end))
    assert text_of(session, "own").count(b"# rule: ") == 3


@pytest.mark.parametrize("live", [False, True])
def test_what_a_person_changed_or_removed_stays_so(
    live: bool, target: OpenTarget, session: Session, acting: None
) -> None:
    del acting
    lines = text_of(session, "own").decode().split("\r\n")
    at = next(number for number, line in enumerate(lines) if line == "# rule: Bills")
    mine = [line.replace('"Bills"', '"Invoices"') for line in lines[: at + 6]]
    session.put("own", "\r\n".join([*mine, "# kogge end", ""]).encode())
    before = world(session)
    done = target(live=live).take_effect()
    assert done.touched == {item(rule()).key.hex()}
    assert done.removed == {item(rule("Other")).key.hex()}
    assert world(session) == before
    assert code_of(target().give_back) == "changed-at-target"
    assert world(session) == before


@pytest.mark.parametrize("live", [False, True])
def test_what_a_person_requires_in_our_line_stays(
    live: bool, target: OpenTarget, session: Session, acting: None
) -> None:
    del acting
    text = text_of(session, "own").replace(b'require ["fileinto"]; #', b'require ["copy", "fileinto"]; #')
    session.put(
        "own", text.replace(b'fileinto "Archive";\r\n\tstop', b'fileinto :copy "Archive";\r\n\tstop', 1)
    )
    before = world(session)
    assert len(target(live=live).take_effect().touched) == 1
    assert world(session) == before


def test_a_web_client_that_wrote_all_anew_gets_nothing_twice(
    target: OpenTarget, session: Session, acting: None
) -> None:
    del acting
    anew = b'require ["fileinto"];\r\nif header :contains "Subject" "Bills" { fileinto "Archive"; }\r\n'
    session.put("own", anew)
    assert not target(live=True).take_effect().added
    assert session.read("own") == anew
    live = target(live=True)
    written(live, item(rule("New", 9)))
    live.take_effect()
    assert anew in text_of(session, "own")
    assert text_of(session, "own").count(b"# kogge rule") == 1


def test_a_script_that_a_person_chose_since_is_left_alone(
    target: OpenTarget, session: Session, acting: None
) -> None:
    del acting
    session.put("other", b"keep;\r\n")
    session.activate("other")
    before = world(session)
    assert target(live=True).take_effect() == TookEffect(), "nothing is to be added"
    assert code_of(target().take_effect) == "other-script-active"
    assert code_of(target().give_back) == "changed-at-target"
    session.activate("")
    assert target(live=True).take_effect() == TookEffect()
    assert code_of(target().take_effect) == "script-switched-off"
    session.activate("other")
    assert world(session) == before
    live = target(live=True)
    written(live, item(rule("Late", 9)))
    assert code_of(live.take_effect) == "other-script-active"
    session.activate("")
    assert code_of(live.take_effect) == "script-switched-off"


def test_a_script_that_is_switched_off_is_not_switched_on(target: OpenTarget, session: Session) -> None:
    reset(session, {"Open-Xchange": PERSONS, "rules": PERSONS})
    opened = target(dialect="open-xchange")
    written(opened, item(rule()))
    before = world(session)
    assert code_of(opened.take_effect) == "script-switched-off"
    session.put("own", b"keep;\r\n")
    session.activate("own")
    assert code_of(opened.take_effect) == "script-switched-off"
    session.activate("")
    session.delete("own")
    assert world(session) == before
    target().take_effect()
    assert {name for name, (active, _) in world(session).items() if active} == {"rules-kogge"}
    target().give_back()
    assert world(session) == before


@pytest.mark.parametrize(
    "text", [b"keep; /* open", b"keep", b"\xff\xfe", b"if true { keep;\r\n# kogge end\r\n", b"# kogge end\n"]
)
def test_a_damaged_script_gets_nothing_appended(
    text: bytes, target: OpenTarget, session: Session, pigeonhole: Pigeonhole
) -> None:
    reset(session, {"own": b"keep;\r\n"}, "own")
    opened = target()
    written(opened, item(rule()))
    (pigeonhole.home(session.account.login) / "sieve" / "own.sieve").write_bytes(text)
    assert code_of(opened.take_effect) == "script-unreadable"
    assert session.read("own") == text


def test_a_block_of_nextcloud_that_is_open_gets_nothing_appended(
    target: OpenTarget, session: Session
) -> None:
    marker = b"### Nextcloud Mail: Filters ### DON'T EDIT ###\r\n"
    closed = marker + b'require ["fileinto"];\r\n' + marker + b"keep;\r\n"
    opened = target(dialect="nextcloud-mail")
    written(opened, item(rule()))
    reset_own = {NAME: text_of(session, NAME)}
    reset(session, {**reset_own, "own": closed + marker}, "own")
    assert code_of(opened.take_effect) == "script-unreadable"
    reset(session, {**reset_own, "own": closed}, "own")
    opened.take_effect()
    assert closed in text_of(session, "own")


def as_nextcloud_writes(script: str) -> str:
    """As Nextcloud Mail writes it with a filter and a reply: what is not its own stays in between."""
    for title, extensions, body in (
        ("Filters", ["fileinto"], '# FILTER: []\r\nif header :is "Subject" "x" {\r\n\tkeep;\r\n}'),
        ("Vacation Responder", ["date", "vacation"], '# DATA: {}\r\nif false {\r\n\tvacation "y";\r\n}'),
    ):
        marker = f"### Nextcloud Mail: {title} ### DON'T EDIT ###"
        requires = [f'require "{one}";' for one in extensions]
        script = "\r\n".join([marker, *requires, marker, script, marker, body, marker])
    return script


def test_rules_stay_known_when_nextcloud_has_written_the_script(target: OpenTarget, session: Session) -> None:
    reset(session, {"own": b'require "copy";\r\nkeep;'}, "own")
    opened = target(dialect="nextcloud-mail")
    written(opened, item(rule()))
    opened.take_effect()
    session.put("own", as_nextcloud_writes(text_of(session, "own").decode()).encode())
    live = target(dialect="nextcloud-mail", live=True)
    assert not live.take_effect().touched
    written(live, item(rule("Late", 9)))
    done = live.take_effect()
    assert (done.added, done.touched, done.removed) == ({item(rule("Late", 9)).key.hex()}, set(), set())
    assert text_of(session, "own").count(b"# rule: ") == 2


def test_a_person_who_always_stops_is_told(target: OpenTarget, session: Session) -> None:
    reset(session, {"own": b"keep;\nstop;"}, "own")
    opened = target()
    written(opened, item(rule()))
    assert code_of(opened.take_effect) == "rules-not-reached"
    assert target(live=True).take_effect().unreached, "in the live phase it is theirs"
    assert text_of(session, "own").startswith(b'require ["fileinto"]; # kogge\nkeep;\nstop;\n# kogge took')
    opened.give_back()
    assert session.read("own") == b"keep;\nstop;"


def test_numbers_go_on_after_those_of_the_person(target: OpenTarget, session: Session) -> None:
    own = b"## Flag: |UniqueId:4|Rulename: Mine\r\nif true\r\n{\r\n\tkeep;\r\n}\r\n"
    reset(session, {"Open-Xchange": own}, "Open-Xchange")
    opened = target(dialect="open-xchange")
    written(opened, item(rule()), item(rule("Off", 2, active=False)))
    opened.take_effect()
    live = target(dialect="open-xchange", live=True)
    written(live, item(rule("Away", 0, actions=('vacation "gone";',), extensions=frozenset({"vacation"}))))
    live.take_effect()
    text = text_of(session, "Open-Xchange").decode()
    flags = [line for line in text.split("\r\n") if line.startswith("## Flag")]
    assert [line.split("|")[1] for line in flags] == [f"UniqueId:{number}" for number in (4, 5, 6, 7)]
    assert flags[-1] == "## Flag: vacation|UniqueId:7|Rulename: Away"
    assert '#<!-->if header :contains "Subject" "Off"\r\n#<!-->{' in text


def test_a_script_that_would_be_too_large_changes_nothing(target: OpenTarget, session: Session) -> None:
    large = b"keep;\r\n" + b"#" * 999_000 + b"\r\n"
    reset(session, {"own": large}, "own")
    opened = target()
    written(opened, *(item(rule(f"Rule {number}")) for number in range(20)))
    before = world(session)
    assert code_of(opened.take_effect) == "sieve-quota"
    assert world(session) == before


def test_scripts_that_cannot_be_written_change_nothing(
    target: OpenTarget, session: Session, pigeonhole: Pigeonhole, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sessions, "sleep", lambda _seconds: None)
    reset(session, {"own": PERSONS}, "own")
    opened = target()
    written(opened, item(rule()))
    before = world(session)
    folder = pigeonhole.home(session.account.login) / "sieve"
    folder.chmod(0o500)
    with pytest.raises(Transient, match="server-busy"):  # Pigeonhole says TRYLATER
        opened.take_effect()
    assert world(session) == before
    folder.chmod(0o700)
    opened.take_effect()


def test_a_rule_that_acts_is_taken_out_of_the_script(
    target: OpenTarget, session: Session, acting: None
) -> None:
    """Whatever a worker that died had done of it."""
    del acting
    opened = target()
    first, second = written(opened, item(rule()), item(rule("Other", 2)))
    assert [one.href for one in opened.listing("rules")] == [first.href, second.href]
    record = load(session)
    save(session, record.with_rules(kept for kept in record.rules.values() if kept.href != first.href))
    assert codes(list(opened.remove("rules", [first]))) == []
    assert first.href.encode() not in active_text(session)
    assert second.href.encode() in active_text(session)
    assert codes(list(opened.remove("rules", [second]))) == []
    assert b"Other" not in active_text(session)
    assert PERSONS in active_text(session)


def test_a_rule_that_a_person_changed_is_not_there_and_not_removed(
    target: OpenTarget, session: Session, acting: None
) -> None:
    del acting
    opened = target()
    first, second = written(opened, item(rule()), item(rule("Other", 2)))
    (name,) = [one.name for one in session.scripts() if one.active]
    session.put(name, active_text(session).replace(b'"Other"', b'"Others"'))
    assert [one.href for one in opened.listing("rules")] == [first.href]
    ((_, gone),) = opened.read("rules", [second.href])
    assert isinstance(gone, Failed)
    assert [one.href for one in target(live=True).listing("rules")] == [first.href, second.href]
    assert codes(list(opened.remove("rules", [first, second]))) == ["changed-at-target"]
    assert b"Others" in active_text(session)
    session.activate("")
    assert not list(opened.listing("rules")), "what does not act is not there"


def test_without_rules_nothing_happens(target: OpenTarget, session: Session) -> None:
    reset(session, {"own": PERSONS}, "own")
    target().take_effect()
    target().give_back()
    assert world(session) == {"own": (True, PERSONS)}


def test_a_script_that_is_not_listed_goes_on_to_act(
    target: OpenTarget, session: Session, pigeonhole: Pigeonhole
) -> None:
    login = session.account.login
    opened = target()
    written(opened, item(rule()))
    file = pigeonhole.home(login) / ".dovecot.sieve"
    pigeonhole.put_file(file, PERSONS)
    assert not [each for each in session.scripts() if each.active]
    opened.take_effect()
    for subject in ("mine", "Bills"):
        pigeonhole.deliver(login, MAIL.format(subject))
    assert sorted(pigeonhole.subjects(login, "Archive")) == ["Bills", "mine"]
    opened.give_back()
    assert world(session)["dovecot.orig"] == (True, PERSONS)
    session.activate("")
    before = world(session)
    assert code_of(opened.take_effect) == "script-switched-off"
    assert world(session) == before


@pytest.mark.parametrize("dialect", ["plain", "open-xchange"])
def test_a_person_who_changes_the_script_at_that_moment_loses_nothing(
    dialect: str, target: OpenTarget, session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    reset(session, {"own": PERSONS}, "own")
    opened = target(dialect=dialect)
    written(opened, item(rule()))
    edited = PERSONS + b"keep;\r\n"
    accepts = Session.accepts

    def edit_first(asked: Session, text: bytes) -> Answer:
        if asked is not session:
            session.put("own", edited)
        return accepts(asked, text)

    with monkeypatch.context() as meanwhile:
        meanwhile.setattr(Session, "accepts", edit_first)
        with pytest.raises(Transient, match="busy"):
            opened.take_effect()
    assert session.read("own") == edited
    opened.take_effect()
    assert edited in text_of(session, "Open-Xchange" if dialect == "open-xchange" else "own")
    opened.give_back()
    assert session.read("own") == edited
