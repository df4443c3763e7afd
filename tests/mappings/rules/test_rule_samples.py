"""Microsoft's schemas name nothing of a rule that is not read, and its documents' own rules are said."""

from __future__ import annotations

import gzip
import json

from lxml import etree
from rule_records import mailbox
from samples import BASE, marks

from mappings.fields.ews_xml import SPACES
from mappings.rules import ews_rule, graph_rule
from mappings.rules.fit_rule import RuleContext, fit_rule

pytestmark = marks("microsoft-schemas")
XSD = "{http://www.w3.org/2001/XMLSchema}"
EDM = "{http://docs.oasis-open.org/odata/ns/edm}"


def of_ews(name: str) -> set[str]:
    """The elements of a type of EWS."""
    root = etree.parse(BASE / "microsoft-schemas" / "types.xsd").getroot()
    found = root.iterfind(f"{XSD}complexType[@name='{name}']//{XSD}element")
    return {one.get("name", "") for one in found}


def of_graph(name: str) -> set[str]:
    """The properties of a type of Graph."""
    with gzip.open(BASE / "microsoft-schemas" / "graph-v1.0.csdl.gz") as stream:
        root = etree.parse(stream).getroot()
    return {
        one.get("Name", "") for one in root.iterfind(f".//{EDM}ComplexType[@Name='{name}']/{EDM}Property")
    }


def test_every_element_of_ews_is_read() -> None:
    assert of_ews("RulePredicatesType") == set(ews_rule.PREDICATES)
    assert of_ews("RuleActionsType") == set(ews_rule.ACTIONS)


def test_every_property_of_graph_is_read() -> None:
    assert of_graph("messageRulePredicates") == set(graph_rule.PREDICATES)
    assert of_graph("messageRuleActions") == set(graph_rule.ACTIONS)


def test_the_rule_of_a_document_about_ews_is_said() -> None:
    files = sorted((BASE / "ews-samples").glob("GetInboxRulesResponse--response--*"))
    elements = [one for file in files for one in etree.parse(file).iter(f"{{{SPACES['t']}}}Rule")]
    assert elements
    here = mailbox()
    context = RuleContext({**here.folders, "AAMkAGYzZjZm": "Junk"}, here.people, here.sieve)
    said = [fit_rule(ews_rule.ews_rule(one), context).rule for one in elements]
    assert [(one.name, one.test, one.actions) for one in said] == [
        ("MoveInterestingToJunk", 'header :contains "Subject" "Interesting"', ('fileinto "Junk";',))
    ]


def test_the_rules_of_a_document_about_graph_are_said() -> None:
    document = json.loads((BASE / "graph-samples" / "mailfolder-list-messagerules--1.json").read_text())
    fitted = [fit_rule(graph_rule.graph_rule(one), mailbox()) for one in document["body"]["value"]]
    assert [(one.rule.active, one.rule.test) for one in fitted] == [
        (True, 'header :contains "Subject" "enter to win"'),
        (False, 'address :contains "from" "ADELE"'),
    ]
    assert [loss.reason for loss in fitted[1].losses] == ["sends-out", "forward-as-redirect"]
