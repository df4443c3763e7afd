"""A contact's record as the sections of its card read it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from mappings.contacts.vcard import VCardLine
from mappings.fields import ews_xml as xml
from mappings.fields.context import Context
from mappings.fields.ews_xml import Element
from model.protocols import Body, Loss

Part = tuple[list[VCardLine], list[Loss]]
"""What a section gives: the lines in their order, and what could not become one."""


@dataclass(frozen=True, slots=True)
class ContactRecord:
    """version is that of the vCard; attachments those that could be read, by AttachmentId."""

    element: Element
    version: str
    context: Context
    attachments: Mapping[str, Body]

    @property
    def modern(self) -> bool:
        """vCard 4.0."""
        return self.version == "4.0"

    def text(self, *names: str) -> str:
        """The first of these elements that says anything, without white space around it."""
        return next((found for name in names if (found := xml.text(self.element, f"t:{name}").strip())), "")

    def entries(self, name: str) -> Iterator[tuple[str, Element]]:
        """Key and Entry element of a dictionary property, in the record's order."""
        for entry in xml.children(self.element, f"t:{name}/t:Entry"):
            yield entry.get("Key", ""), entry

    def strings(self, name: str) -> list[str]:
        """The strings of a list property that are not blank."""
        found = (one.text or "" for one in xml.children(self.element, f"t:{name}/t:String"))
        return [text.strip() for text in found if text.strip()]


Section = Callable[[ContactRecord], Part]
