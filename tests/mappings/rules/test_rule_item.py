"""A rule from either protocol becomes an item, as it acts behind the rules before it."""

from __future__ import annotations

import io
import json
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial

import pytest
from servers.sieve_runs import EXTENSIONS

from connectors.exchange.record_set import RecordSetReader
from connectors.exchange.rules import rule_container, rule_reader
from mappings.fields.context import Context
from mappings.registry import ITEM_FORMS
from mappings.rules.rule_item import map_rule, rule_differing, rule_digest
from model.errors import Rejected
from model.kinds import Kind
from model.protocols import Capabilities, Failed, Loss, Native, Role
from model.sieve_limits import SieveLimits
from model.sieve_rule import rule_of

NOW = datetime(2026, 1, 1, tzinfo=UTC)
CONTEXT = Context(
    Capabilities(frozenset({Kind.SETTINGS}), sieve=SieveLimits(EXTENSIONS)),
    NOW,
    NOW,
    frozenset({"anna@new.example"}),
    folders={"F-1": "Ablage"},
    roles={Role.TRASH: "Papierkorb", Role.NOTES: "Notes"},
)


def record(place: int, name: str = "R", **more: object) -> bytes:
    """A rule of Graph that files mail about "a"."""
    rule = {
        "id": f"id-{place}",
        "displayName": name,
        "sequence": place,
        "isEnabled": True,
        "conditions": {"subjectContains": ["a"]},
        "actions": {"moveToFolder": "F-1"},
    }
    return json.dumps({"item": rule | more}).encode()


VOICE = {"conditions": {"isVoicemail": True}, "actions": {"stopProcessingRules": True}}


def reader(*records: bytes) -> RecordSetReader:
    return rule_reader(lambda: {json.loads(one)["item"]["id"]: one for one in records}, "graph-rule")


def natives(*records: bytes) -> list[Native]:
    (page,) = reader(*records).changes(None)
    found = list(reader(*records).fetch(page.refs, bodies=True))
    assert [one.ref for one in found if isinstance(one, Native)] == list(page.refs)
    return [one for one in found if isinstance(one, Native)]


def text(native: Native, context: Context = CONTEXT) -> str:
    with map_rule(native, context).item.body() as stream:
        return stream.read().decode()


def test_a_rule_names_the_folder_of_the_target() -> None:
    (native,) = natives(record(1))
    rule = rule_of(text(native))
    assert (rule.active, rule.place) == (True, 1)
    assert 'fileinto "Ablage";' in rule.actions
    assert Loss("rule", "folder-not-migrated") in map_rule(native, replace(CONTEXT, folders={})).losses


def test_a_folder_is_found_by_its_role() -> None:
    (native,) = natives(record(1, actions={"delete": True}))
    assert 'fileinto "Papierkorb";' in rule_of(text(native)).actions


def test_a_rule_behind_one_that_stops_no_more_does_not_act() -> None:
    alone, (_, behind) = natives(record(2))[0], natives(record(1, **VOICE), record(2))
    assert alone.ref.id == behind.ref.id
    assert alone.ref.version != behind.ref.version, "it is to be mapped again"
    assert rule_of(text(alone)).active
    assert not rule_of(text(behind)).active
    before = natives(record(2), record(3, **VOICE))[0]
    assert rule_of(text(before)).active, "a later rule keeps nothing from it"


def test_a_rule_beside_one_that_cannot_be_read_does_not_act() -> None:
    broken = json.dumps({"item": {"id": "id-0", "sequence": "no number"}}).encode()
    assert not rule_of(text(natives(record(2), broken)[0])).active


def test_a_rule_of_the_same_place_may_come_first() -> None:
    peer = record(1, "P", id="other", **VOICE)
    assert not rule_of(text(natives(record(1), peer)[0])).active


def test_a_rule_behind_one_that_stops_less_mail_does_not_act() -> None:
    stop = {"conditions": {"hasAttachments": True}, "actions": {"stopProcessingRules": True}}
    first, behind = natives(record(1, **stop), record(2))
    assert rule_of(text(first)).active
    assert not rule_of(text(behind)).active


def test_what_is_deleted_for_good_meets_no_later_rule() -> None:
    first, behind = natives(record(1, actions={"permanentDelete": True}), record(2))
    assert rule_of(text(first)).actions == ("discard;", "stop;")
    assert rule_of(text(behind)).active


def test_redirects_are_counted_over_all_rules_that_a_mail_may_meet() -> None:
    sends = {"actions": {"redirectTo": [{"emailAddress": {"address": "kurt@new.example"}}]}}
    few = replace(CONTEXT, target=replace(CONTEXT.target, sieve=SieveLimits(EXTENSIONS, redirects=1)))
    first, behind = (map_rule(one, few) for one in natives(record(1, **sends), record(2, **sends)))
    assert Loss("rule", "action-not-said") not in first.losses
    assert Loss("rule", "action-not-said") in behind.losses


def out(place: int, who: str, **more: object) -> bytes:
    sends = {"redirectTo": [{"emailAddress": {"address": who}}], **more}
    return record(place, f"to {who}", actions=sends)


def test_a_rule_that_sends_mail_out_acts_once_a_person_allowed_it() -> None:
    native, other = natives(out(1, "a@far.example"), out(2, "b@far.example"))
    seen = map_rule(native, CONTEXT)
    assert Loss("rule", "sends-out") in seen.losses
    assert seen.item.digest is not None
    allowed = replace(CONTEXT, allowed=frozenset({seen.item.digest}))
    rule = rule_of(text(native, allowed))
    assert (rule.active, rule.notes, map_rule(native, allowed).losses) == (True, (), ())
    assert not rule_of(text(other, allowed)).active, "another rule was not allowed"
    (changed,) = natives(out(1, "c@far.example"))
    assert not rule_of(text(changed, allowed)).active, "nor was what its owner made of it since"


def test_allowed_rules_are_those_that_a_person_saw_whatever_else_is_allowed() -> None:
    records = [out(place, f"{place}@far.example", stopProcessingRules=True) for place in (1, 2, 3)]
    found = natives(*records)
    digests = [map_rule(one, CONTEXT).item.digest for one in found]
    assert None not in digests
    every = replace(CONTEXT, allowed=frozenset(one for one in digests if one is not None))
    assert [rule_of(text(one, every)).active for one in found] == [True, True, True]


def test_a_rule_that_is_off_for_another_reason_stays_off() -> None:
    (native,) = natives(out(1, "a@far.example").replace(b'"isEnabled": true', b'"isEnabled": false'))
    seen = map_rule(native, CONTEXT)
    assert seen.item.digest is not None
    assert not rule_of(text(native, replace(CONTEXT, allowed=frozenset({seen.item.digest})))).active


def test_the_order_of_the_answer_changes_nothing() -> None:
    (page,), (other,) = (list(reader(*order).changes(None)) for order in ((A, B), (B, A)))
    assert page.cursor == other.cursor
    assert set(page.refs) == set(other.refs)
    assert list(reader(A, B).changes(page.cursor)) == [replace(page, refs=(), full=False)]


A, B = record(1), record(2)


def test_a_rule_that_is_gone_is_named() -> None:
    (page,) = reader(A, B).changes(None)
    found = list(reader(A).fetch(page.refs, bodies=True))
    assert [one.error.code for one in found if isinstance(one, Failed)] == ["vanished"]
    assert rule_container().kind is Kind.SETTINGS


def test_what_is_no_rule_is_rejected() -> None:
    (native,) = natives(record(1))
    for odd in (b"", b"[]", b'{"item": 5}', b"\xff"):
        with pytest.raises(Rejected):
            map_rule(replace(native, body=partial(io.BytesIO, odd)), CONTEXT)
        with pytest.raises(Rejected):
            rule_digest(io.BytesIO(odd))
    with pytest.raises(Rejected, match="unknown-format"):
        map_rule(replace(native, format="other"), CONTEXT)


def test_the_parts_in_which_two_rules_differ_are_named() -> None:
    one, other = (text(natives(record(1, name))[0]).encode() for name in ("R", "S"))
    assert rule_differing(io.BytesIO(one), io.BytesIO(other), NOW) == ("name",)
    digest = ITEM_FORMS[Kind.SETTINGS].digest
    assert digest(io.BytesIO(one)) == rule_digest(io.BytesIO(one)) != digest(io.BytesIO(other))
