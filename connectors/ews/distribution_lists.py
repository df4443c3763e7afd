"""The members of a distribution list, where GetItem does not tell them."""

from __future__ import annotations

from lxml import etree

from connectors.ews.client import EwsClient
from connectors.ews.errors import TNS, EwsRefusal, translated
from connectors.ews.requests import expand_list
from connectors.ews.response_stream import ResponseMessage
from model.errors import Transient

NOBODY = "ErrorNameResolutionNoResults"
_SAFE = etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False, huge_tree=False)


class Expansion:
    """Asks for members, list by list, until the server shows that it cannot tell."""

    def __init__(self, client: EwsClient) -> None:
        self._client = client
        self._offered = True

    def filled(self, xml: bytes, id_: str) -> bytes:
        """The list's element with <t:Members>, be it empty; as it was where this server does not tell. Raises
        Transient and Blocked as every request does."""
        members = self._members(id_) if self._offered else None
        if members is None:
            return xml
        item = etree.fromstring(xml, _SAFE)
        item.append(members)
        return etree.tostring(item, encoding="utf-8")

    def _members(self, id_: str) -> etree._Element | None:
        try:
            found = self._client.collect(expand_list(id_), "ExpandDLResponseMessage", _expanded)
        except EwsRefusal as refusal:
            if refusal.busy:
                raise translated(refusal) from None
            self._offered = not refusal.whole
            return etree.Element(TNS + "Members") if refusal.code == NOBODY else None
        except Transient as error:
            if error.code not in {"not-soap", "server-error"}:
                raise
            self._client.probe()
            return None
        return found[0] if len(found) == 1 else None


def _expanded(message: ResponseMessage) -> etree._Element:
    members = etree.Element(TNS + "Members", nsmap={"t": TNS[1:-1]})
    for box in message.element.iter(TNS + "Mailbox"):
        member = etree.SubElement(members, TNS + "Member")
        member.append(etree.fromstring(etree.tostring(box, with_tail=False), _SAFE))
    return members
