"""Read the members of a distribution list where GetItem does not give them.

Source:
    https://learn.microsoft.com/exchange/client-developer/web-service-reference/expanddl-operation
"""

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
    """Ask for members list by list, until the server shows that it cannot give them."""

    def __init__(self, client: EwsClient) -> None:
        self._client = client
        self._offered = True

    def filled(self, xml: bytes, id_: str) -> bytes:
        """Return the list's element with <t:Members>, which may be empty.

        Args:
            xml: the list's element.
            id_: the list's id.

        Returns:
            The element as it was where this server does not give members.

        Raises:
            Transient, Blocked: the server cannot be asked, after the retries.
        """
        members = self._members(id_) if self._offered else None
        if members is None:
            return xml
        item = etree.fromstring(xml, _SAFE)
        item.append(members)
        return etree.tostring(item, encoding="utf-8")

    def _members(self, id_: str) -> etree._Element | None:
        """Return the Members element, or None."""
        try:
            answers = self._client.collect(expand_list(id_), "ExpandDLResponseMessage", _members_of)
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
        return answers[0] if len(answers) == 1 else None


def _members_of(message: ResponseMessage) -> etree._Element:
    members = etree.Element(TNS + "Members", nsmap={"t": TNS[1:-1]})
    for box in message.element.iter(TNS + "Mailbox"):
        member = etree.SubElement(members, TNS + "Member")
        member.append(etree.fromstring(etree.tostring(box, with_tail=False), _SAFE))
    return members
