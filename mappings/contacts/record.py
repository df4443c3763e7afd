"""Read a contact's record for the sections of its card."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from mappings.fields import ews_xml as xml
from mappings.fields.context import Reading
from mappings.fields.ews_xml import Element
from mappings.vcard.lines import VCardLine
from model.protocols import Body, Loss

Part = tuple[list[VCardLine], list[Loss]]
"""The result of a section: the lines in their order, and what could not become one."""


@dataclass(frozen=True, slots=True)
class ContactRecord:
    """Hold a contact's record.

    Attributes:
        element: of the contact.
        context: of the mapping.
        attachments: those that could be read, by AttachmentId.
    """

    element: Element
    context: Reading
    attachments: Mapping[str, Body]

    def text(self, *names: str) -> str:
        """Return the first of these elements that has a text, without white space around it."""
        return next((value for name in names if (value := xml.text(self.element, f"t:{name}").strip())), "")

    def entries(self, name: str) -> Iterator[tuple[str, Element]]:
        """Yield key and Entry element of a dictionary property, in the record's order."""
        for entry in xml.children(self.element, f"t:{name}/t:Entry"):
            yield entry.get("Key", ""), entry

    def strings(self, name: str) -> list[str]:
        """Return the strings of a list property that are not blank."""
        texts = (element_.text or "" for element_ in xml.children(self.element, f"t:{name}/t:String"))
        return [text.strip() for text in texts if text.strip()]


Section = Callable[[ContactRecord], Part]
