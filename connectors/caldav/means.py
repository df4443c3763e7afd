"""Name what reads and writes the objects of one account."""

from __future__ import annotations

from dataclasses import dataclass

from connectors.caldav.product import Profile
from connectors.caldav.read import CaldavReader, Digest
from connectors.http.client import HttpClient
from connectors.http.hrefs import Mine
from model.protocols import Guard


@dataclass(frozen=True, slots=True)
class ObjectMeans:
    """Hold what reads and writes the objects of one account.

    Attributes:
        client: the HTTP client.
        reading: reads objects, those of events with their managed attachments.
        profile: the product.
        guard: the write fence; called before each request, and before a large body's last bytes.
        digest: returns the meaning of a body.
        mine: tells if an item's key belongs to this mailbox.
    """

    client: HttpClient
    reading: CaldavReader
    profile: Profile
    guard: Guard
    digest: Digest
    mine: Mine
