"""Every predicate and every action, by EWS and by Graph, says the same in Sieve, exactly or not at all."""

from __future__ import annotations

import pytest
from rule_records import Case, by_ews, by_graph, mailbox, table

from mappings.rules import ews_rule, graph_rule
from mappings.rules.fit_rule import fit_rule, fit_rules
from mappings.rules.rule import Act, Condition, Predicate, Rule
from mappings.rules.sieve_tests import SAID
from model.errors import Rejected
from model.sieve_rule import rule_of

CONDITIONS, ACTIONS = table("condition"), table("action")
NAMES = {"ids": lambda case: case["name"]}
SUBJECT = "<ContainsSubjectStrings><String>x</String></ContainsSubjectStrings>"
UNSAID = sorted(set(Predicate) - set(SAID) - {Predicate.UNKNOWN})


def reasons(case_losses: object) -> list[str]:
    return [loss.reason for loss in case_losses]  # type: ignore[attr-defined]


@pytest.mark.parametrize("case", CONDITIONS, **NAMES)
def test_a_condition_is_said(case: Case) -> None:
    fitted = fit_rule(by_ews(case["ews"]), mailbox())
    assert fitted.rule.test == case["test"]
    assert fitted.rule.extensions == frozenset(case.get("extensions", ()))
    assert fitted.rule.active
    assert reasons(fitted.losses) == case.get("losses", [])
    assert rule_of(fitted.rule.text()) == fitted.rule
    if "graph" in case:
        assert fit_rule(by_graph(case["graph"]), mailbox()) == fitted


@pytest.mark.parametrize("case", [case for case in CONDITIONS if case.get("extensions")], **NAMES)
def test_a_condition_without_its_extension_switches_the_rule_off(case: Case) -> None:
    for missing in case["extensions"]:
        fitted = fit_rule(by_ews(case["ews"]), mailbox(extensions=mailbox().sieve.extensions - {missing}))
        assert (fitted.rule.active, fitted.rule.test) == (False, "false")
        assert reasons(fitted.losses) == ["condition-not-said"]


@pytest.mark.parametrize("case", CONDITIONS, **NAMES)
def test_an_exception_is_said_exactly_or_switches_the_rule_off(case: Case) -> None:
    fitted = fit_rule(by_ews(SUBJECT, case["ews"]), mailbox())
    if case.get("narrower"):
        assert reasons(fitted.losses) == ["exception-not-said"]
        assert (fitted.rule.active, fitted.rule.test.endswith(", false)")) == (False, True)
    else:
        assert fitted.rule.active
        assert fitted.rule.test == f'allof(header :contains "Subject" "x", not {case["test"]})'


@pytest.mark.parametrize("case", ACTIONS, **NAMES)
def test_an_action_is_said(case: Case) -> None:
    fitted = fit_rule(by_ews(SUBJECT, actions=case["ews"]), mailbox())
    assert list(fitted.rule.actions) == case["commands"]
    assert fitted.rule.active == case.get("active", True)
    assert sorted(reasons(fitted.losses)) == sorted(case.get("losses", []))
    assert bool(fitted.rule.notes) == bool(fitted.losses)
    assert rule_of(fitted.rule.text()) == fitted.rule
    if "graph" in case:
        assert fit_rule(by_graph('{"subjectContains": ["x"]}', actions=case["graph"]), mailbox()) == fitted


def test_every_predicate_and_every_action_is_tried() -> None:
    tried = {one.predicate for case in CONDITIONS for one in by_ews(case["ews"]).conditions}
    done = {one.act for case in ACTIONS for one in by_ews(actions=case["ews"]).actions}
    assert (tried, done) == (set(SAID), set(Act))


@pytest.mark.parametrize("predicate", [*UNSAID, Predicate.UNKNOWN])
@pytest.mark.parametrize("as_exception", [False, True])
def test_a_part_without_words_switches_the_rule_off(predicate: Predicate, as_exception: bool) -> None:
    said, unsaid = Condition(Predicate.SUBJECT_HAS, ("x",)), Condition(predicate)
    conditions = (said,) if as_exception else (said, unsaid)
    exceptions = (unsaid,) if as_exception else ()
    fitted = fit_rule(Rule("R", 1, True, conditions, exceptions, by_ews().actions), mailbox())
    assert fitted.rule.test == 'allof(header :contains "Subject" "x", false)'
    assert not fitted.rule.active
    assert reasons(fitted.losses) == ["exception-not-said" if as_exception else "condition-not-said"]
    assert str(predicate) in fitted.rule.notes[0]
    assert fitted.may_stop


def test_every_element_of_the_schemas_has_a_word() -> None:
    read = {predicate for predicate, _ in ews_rule.PREDICATES.values()}
    assert read == set(Predicate) - {Predicate.UNKNOWN}
    assert {act for act, _ in ews_rule.ACTIONS.values()} == set(Act) - {Act.UNKNOWN}
    by_graph_alone = {predicate for predicate, _ in graph_rule.PREDICATES.values()}
    assert read - by_graph_alone == {
        Predicate.DATES,
        Predicate.ITEM_CLASSES,
        Predicate.CLASSIFICATIONS,
        Predicate.CONNECTED_ACCOUNTS,
    }


@pytest.mark.parametrize("element", sorted(ews_rule.PREDICATES))
@pytest.mark.parametrize("value", ["", "false", "odd"])
def test_an_odd_value_is_never_no_condition(element: str, value: str) -> None:
    fitted = fit_rule(by_ews(f"<{element}>{value}</{element}>"), mailbox())
    assert (fitted.rule.active, fitted.rule.test) == (False, "false")


@pytest.mark.parametrize("name", sorted(graph_rule.PREDICATES))
@pytest.mark.parametrize("value", ["[]", "false", '"odd"', "{}", "[null]", "[7]", '[""]'])
def test_an_odd_value_of_graph_is_never_no_condition(name: str, value: str) -> None:
    fitted = fit_rule(by_graph(f'{{"{name}": {value}}}'), mailbox())
    assert (fitted.rule.active, fitted.rule.test) == (False, "false")


def test_a_rule_without_conditions_holds_for_every_mail() -> None:
    assert fit_rule(by_ews(), mailbox()).rule.test == "true"
    assert fit_rule(by_ews("", SUBJECT), mailbox()).rule.test == 'not header :contains "Subject" "x"'


@pytest.mark.parametrize(
    ("ews", "graph", "lost"),
    [
        ({"more": "<IsInError>true</IsInError>"}, {"hasError": True}, ["was-broken"]),
        ({"more": "<IsNotSupported>true</IsNotSupported>"}, {"isReadOnly": True}, ["not-supported"]),
        ({"enabled": "false"}, {"isEnabled": False}, []),
    ],
)
def test_a_rule_that_did_not_act_or_is_not_all_seen_is_switched_off(
    ews: dict[str, str], graph: dict[str, bool], lost: list[str]
) -> None:
    fitted = fit_rule(by_ews(SUBJECT, **ews), mailbox())  # type: ignore[arg-type]
    assert not fitted.rule.active
    assert reasons(fitted.losses) == lost
    assert fitted == fit_rule(by_graph('{"subjectContains": ["x"]}', **graph), mailbox())
    assert fitted.may_stop == (lost == ["not-supported"])


def test_what_is_not_all_seen_never_acts_when_it_is_switched_on() -> None:
    fitted = fit_rule(by_ews(SUBJECT, more="<IsNotSupported>true</IsNotSupported>"), mailbox())
    assert fitted.rule.test == 'allof(header :contains "Subject" "x", false)'


def test_a_rule_without_a_place_is_rejected() -> None:
    with pytest.raises(Rejected, match="malformed-record"):
        graph_rule.graph_rule({"displayName": "R", "sequence": None})


def test_a_later_rule_never_gets_mail_that_an_earlier_one_kept_from_it() -> None:
    first = by_ews("<Categories><String>c</String></Categories>", number=1)
    second = by_ews(SUBJECT, actions="<Delete>true</Delete>", number=2)
    fitted = fit_rules([second, first], mailbox())
    assert [one.rule.place for one in fitted] == [1, 2]
    assert not fitted[1].rule.active
    assert reasons(fitted[1].losses) == ["earlier-rule-lost"]
    kept = fit_rules([by_ews(SUBJECT, number=1), second], mailbox())
    assert [one.rule.active for one in kept] == [True, True]
    off = fit_rules([by_ews("<Categories/>", number=1, enabled="false"), second], mailbox())
    assert [one.rule.active for one in off] == [False, True]


OUT = (
    "<RedirectToRecipients><Address><EmailAddress>a@far.example</EmailAddress></Address></RedirectToRecipients>"
    "<StopProcessingRules>true</StopProcessingRules>"
)


def test_a_later_rule_leaves_out_mail_of_which_an_earlier_one_said_which() -> None:
    asked = "<ContainsBodyStrings><String>y</String></ContainsBodyStrings>"
    first = by_ews(asked, actions=OUT, number=1)
    second = by_ews(SUBJECT, actions="<Delete>true</Delete>", number=2)
    fitted = fit_rules([first, second], mailbox())
    assert [one.rule.active for one in fitted] == [False, True]
    assert fitted[1].rule.test == 'allof(header :contains "Subject" "x", not body :text :contains "y")'
    assert fitted[1].rule.extensions == {"body", "fileinto"}
    assert fitted[1].losses == ()
    assert fitted[1].rule.notes


@pytest.mark.parametrize(
    "asked",
    [
        "<HasAttachments>true</HasAttachments>",
        "<WithinSizeRange><MinimumSize>9</MinimumSize></WithinSizeRange>",
        f"<ContainsBodyStrings><String>{'y' * 1000}</String></ContainsBodyStrings>" * 5,
    ],
)
def test_a_later_rule_is_off_where_the_mail_before_it_is_not_said_exactly(asked: str) -> None:
    second = by_ews(SUBJECT, actions="<Delete>true</Delete>", number=2)
    fitted = fit_rules([by_ews(asked, actions=OUT, number=1), second], mailbox())
    assert [one.rule.active for one in fitted] == [False, False]
    assert reasons(fitted[1].losses) == ["earlier-rule-lost"]


def test_more_redirects_than_the_server_carries_out_are_none() -> None:
    many = "".join(f"<Address><EmailAddress>u{n}@new.example</EmailAddress></Address>" for n in range(5))
    rule = by_ews(
        SUBJECT, actions=f"<RedirectToRecipients>{many}</RedirectToRecipients><Delete>true</Delete>"
    )
    assert len(fit_rule(rule, mailbox(redirects=5)).rule.actions) == 6
    fitted = fit_rule(rule, mailbox(redirects=4))
    assert fitted.rule.actions == ("keep;",)
    assert not fitted.rule.active
    assert reasons(fitted.losses) == ["action-not-said", "mail-stays", "nothing-left"]


SIZE = "<WithinSizeRange><MinimumSize>{}</MinimumSize></WithinSizeRange>"


def test_a_size_that_is_measured_otherwise_deletes_nothing_forever() -> None:
    for parts in ((SIZE.format(9), ""), (SUBJECT, SIZE.format(9))):
        fitted = fit_rule(by_ews(*parts, actions="<PermanentDelete>true</PermanentDelete>"), mailbox())
        assert not fitted.rule.active
        assert fitted.rule.test in ("false", 'allof(header :contains "Subject" "x", false)')


@pytest.mark.parametrize(("kilobytes", "active"), [(2_097_151, True), (2_097_152, False), (-1, False)])
def test_a_size_is_one_that_every_server_takes(kilobytes: int, active: bool) -> None:
    assert fit_rule(by_ews(SIZE.format(kilobytes)), mailbox()).rule.active == active
