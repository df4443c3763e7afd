"""What a preflight is told: who owns the mailbox, what stays, who it sends as, what the app may do."""

from __future__ import annotations

import base64
import json

import pytest
from graph_script import HOME, Answer, Ask, Cloud, Open, error, token

from connectors.graph.source import READERS
from connectors.settings import Account
from model.errors import Blocked
from model.kinds import Kind
from model.optional_protocols import Rights
from practice.graph.server import GraphServer
from practice.graph.tokens import App
from practice.world.world import World


def test_the_identity_is_the_directorys(source: Open) -> None:
    user = {
        "id": "87d349ed",
        "mail": "A.Alt@Example.org",
        "userPrincipalName": "upn@example.org",
        "proxyAddresses": [
            "SMTP:Anna@Example.org",
            "smtp:a.alt@example.org",
            "X500:/o=x",
            "SIP:anna@example.org",
        ],
    }
    found = source(Cloud(lambda _: Answer(user))).identity()
    assert (found.system, found.id) == ("graph", "87d349ed")
    assert found.addresses == {"anna@example.org", "a.alt@example.org"}
    assert found.primary == "anna@example.org"


def test_a_user_without_addresses_has_an_identity_all_the_same(source: Open) -> None:
    user = {"id": "1", "mail": None, "proxyAddresses": []}
    found = source(Cloud(lambda _: Answer(user))).identity()
    assert (found.addresses, found.primary) == (frozenset(), "")


def test_a_user_without_an_id_is_nobody(source: Open) -> None:
    with pytest.raises(Blocked, match="mailbox-missing"):
        source(Cloud(lambda _: Answer({}))).identity()


SHARED = {"role": "write", "emailAddress": {"address": "bert@example.org"}}
ALL = {"role": "freeBusyRead", "emailAddress": {"name": "My Organization"}}


def asked(rows: dict[str, Answer]) -> Cloud:
    return Cloud(lambda ask: rows.get(ask.path.removeprefix(HOME), error("ErrorAccessDenied", 403)))


def test_what_stays_is_counted_where_graph_tells(source: Open) -> None:
    cloud = asked(
        {
            "/mailFolders/recoverableitemsdeletions": Answer({"totalItemCount": 7}),
            "/mailFolders/recoverableitemspurges": error("ErrorItemNotFound", 404),
            "/mailFolders/recoverableitemsversions": Answer({"totalItemCount": 2}),
            "/mailFolders/inbox/messageRules": Answer({"value": [{"id": "r1"}, {"id": "r2"}]}),
            "/memberOf/microsoft.graph.group": groups(["Unified"], [], ["Unified"]),
            "/calendar/calendarPermissions": Answer({"value": [SHARED, SHARED | {"role": "none"}, ALL]}),
        }
    )
    assert list(source(cloud).extras()) == [
        ("archive-mailbox", None),
        ("notes", None),
        ("distribution-lists", None),
        ("folder-rights", None),
        ("recoverable-items", 9),
        ("inbox-rules", 2),
        ("delegates", 1),
        ("groups", 2),
    ]


def groups(*types: list[str], mail: bool | None = True) -> Answer:
    return Answer({"value": [{"id": "g", "groupTypes": each, "mailEnabled": mail} for each in types]})


def test_groups_that_may_not_be_read_are_not_taken_for_groups_without_a_mailbox(source: Open) -> None:
    cloud = asked({"/memberOf/microsoft.graph.group": groups([], [], mail=None)})
    assert dict(source(cloud).extras())["groups"] is None


def test_what_may_not_be_asked_is_not_told(source: Open) -> None:
    found = dict(source(asked({})).extras())
    assert set(found.values()) == {None}
    assert len(found) == 8


def test_the_one_click_archive_is_never_taken_for_the_archive_mailbox(source: Open) -> None:
    cloud = asked({"/mailFolders/archive": Answer({"totalItemCount": 99})})
    assert dict(source(cloud).extras())["archive-mailbox"] is None
    assert f"{HOME}/mailFolders/archive" not in cloud.paths()


def party(address: str) -> dict[str, object]:
    return {"emailAddress": {"address": address}}


def test_senders_of_the_newest_sent_items(source: Open) -> None:
    rows = [
        {"from": party("Anna@Example.org")},
        {"sender": party("/O=X/CN=ANNA")},
        {"from": None, "sender": party("team@example.org")},
    ]
    cloud = asked({"/mailFolders/sentitems/messages": Answer({"value": rows})})
    assert source(cloud).sent_from(50) == ["anna@example.org", "team@example.org"]
    assert cloud.asks[0].query["$orderby"] == "receivedDateTime desc"


def test_no_sent_items_no_senders(source: Open) -> None:
    cloud = asked({"/mailFolders/sentitems/messages": error("ErrorItemNotFound", 404)})
    assert source(cloud).sent_from(50) == []


def test_who_may_not_read_mail_is_told_no_senders_unless_mail_is_to_move(source: Open) -> None:
    assert source(asked({}), kinds=frozenset({Kind.CALENDAR})).sent_from(50) == []
    with pytest.raises(Blocked, match="access-denied"):
        source(asked({})).sent_from(50)


def signed(roles: list[str]) -> str:
    body = base64.urlsafe_b64encode(json.dumps({"roles": roles}).encode()).decode().rstrip("=")
    return f"e30.{body}.x"


def roles(names: list[str], rows: dict[str, Answer]) -> Cloud:
    cloud = asked(rows)
    cloud.token = lambda _: token(signed(names))
    return cloud


INBOX = {"/mailFolders/inbox": Answer({"id": "F1"})}


def test_permissions_that_hold_for_everybody_are_named(source: Open) -> None:
    facts = source(roles(["Mail.Read", "Calendars.Read", "User.Read.All"], INBOX)).server()
    assert facts["tenant-wide"] == "Calendars.Read Mail.Read"
    assert facts["mailbox"] == "Exchange Online"
    assert "writes" not in facts
    assert "missing" not in facts


def test_permissions_to_do_more_than_read_are_named(source: Open) -> None:
    names = ["Mail.ReadWrite", "Mail.Send", "Sites.FullControl.All", "full_access_as_app", "User.Read.All"]
    facts = source(roles(names, INBOX)).server()
    assert facts["writes"] == "Mail.ReadWrite Mail.Send Sites.FullControl.All full_access_as_app"


def test_rights_are_the_tokens(source: Open) -> None:
    names = ["Mail.ReadWrite", "Files.Read.All", "User.Read.All"]
    opened = source(roles(names, {}), kinds=frozenset(READERS))
    assert opened.rights() == Rights(wide=("Mail.ReadWrite",), writes=("Mail.ReadWrite",))
    assert opened.withheld() == {Kind.CALENDAR, Kind.CONTACTS, Kind.TASKS, Kind.SETTINGS, Kind.PERMISSIONS}


def test_a_permission_scoped_in_exchange_is_in_no_token_and_not_missing(source: Open) -> None:
    facts = source(roles(["User.Read.All"], INBOX)).server()
    assert "tenant-wide" not in facts
    assert "missing" not in facts


def test_a_missing_permission_is_named_by_its_workload(source: Open) -> None:
    opened = source(roles(["User.Read.All"], {}))
    facts = opened.server()
    assert facts["mailbox"] == "not told"
    assert Kind.MAIL.value in facts["missing"].split()
    assert opened.capabilities.facts == facts


def test_a_mailbox_on_premises_is_sent_to_ews(source: Open) -> None:
    rows = {"/mailFolders/inbox": error("MailboxNotEnabledForRESTAPI", 404)}
    assert "EWS" in source(roles(["Mail.Read"], rows)).server()["mailbox"]


def test_a_token_that_cannot_be_read_tells_no_permissions(source: Open) -> None:
    cloud = asked(INBOX)
    cloud.token = lambda _: token("opaque")
    assert "tenant-wide" not in source(cloud).server()


def test_the_practice_server_scopes_by_rbac(source: Open) -> None:
    world = World(seed=3, people=2, items=0, nasty=False)
    mine, theirs = world.addresses()[:2]
    with GraphServer(world) as server:
        scoped = {"Mail.Read": frozenset({mine})}
        server.entra.add(App(server.client_id, server.secret, frozenset({"User.Read.All"}), scoped))
        opened = source(server, Account(login=mine))
        facts = opened.server()
        assert "tenant-wide" not in facts
        assert "mail" not in facts.get("missing", "").split()
        assert [one for one in opened.containers() if one.kind is Kind.MAIL]
        with pytest.raises(Blocked, match="access-denied"):
            list(source(server, Account(login=theirs)).containers())


def test_a_practice_mailbox_on_premises(source: Open) -> None:
    world = World(seed=3, people=1, items=0, nasty=False)
    with GraphServer(world) as server:
        server.on_premises.add(world.addresses()[0])
        opened = source(server, Account(login=world.addresses()[0]))
        assert "EWS" in opened.server()["mailbox"]
        with pytest.raises(Blocked, match="mailbox-not-online"):
            list(opened.containers())


def test_every_question_is_asked_about_this_user_alone(source: Open) -> None:
    seen: list[Ask] = []

    def script(ask: Ask) -> Answer:
        seen.append(ask)
        return error("ErrorAccessDenied", 403)

    opened = source(Cloud(script))
    list(opened.extras())
    opened.server()
    assert seen
    assert all(ask.path.startswith(HOME) for ask in seen)
