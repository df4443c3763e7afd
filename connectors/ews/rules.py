"""Read the inbox rules of a mailbox. Nothing is ever written: that would delete Outlook's own rules.

Source:
    https://learn.microsoft.com/exchange/client-developer/web-service-reference/getinboxrules-operation
"""

from __future__ import annotations

from lxml import etree

from connectors.ews.client import EwsClient
from connectors.ews.errors import MNS
from connectors.ews.requests import get_rules
from connectors.ews.response_stream import ResponseMessage

ANSWER = "GetInboxRulesResponse"
_HEAD = f'<m:Items xmlns:m="{MNS[1:-1]}">'.encode()
_FOOT = b"</m:Items>"


def rules_of(client: EwsClient) -> dict[str, bytes] | None:
    """Return the record of each rule, by its id, in the server's order: its XML as other records of EWS.

    Args:
        client: the EWS client.

    Returns:
        None if this server does not offer rules. A rule without an id, which a client cannot change, is named
        by its place in the order.

    Raises:
        EwsRefusal: the server refuses.
        Transient, Blocked: the connection failed.
    """
    answers = client.collect(get_rules(client.mailbox), ANSWER, _read)
    return answers[0] if answers else None


def _read(message: ResponseMessage) -> dict[str, bytes] | None:
    # One dialect answers without the element for the rules, and without a code: it does not offer them.
    holder = message.element.find("{*}InboxRules")
    if holder is None:
        return None if message.element.find("{*}ResponseCode") is None else {}
    rules = {}
    for place, rule in enumerate(holder.iterfind("{*}Rule")):
        for element in rule.iter("{*}FolderId"):
            if "ChangeKey" in element.attrib:  # of the folder as it is now: that is no change of the rule
                del element.attrib["ChangeKey"]
        id_ = (rule.findtext("{*}RuleId") or "").strip() or f"place-{place}"
        rules[id_] = _HEAD + etree.tostring(rule, method="c14n", exclusive=True) + _FOOT
    return rules
