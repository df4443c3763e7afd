"""Name every connector. To add one, describe it in its folder's `connector.py`, and name that here.

Reading the descriptions imports no library of any connector.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache

from connectors.catalogue.connector import Connector, named
from model.kinds import Kind

ROOMS = ("ews", "graph", "imap", "caldav", "exo", "files", "sieve", "folder_rights")
"""The folders that have a `connector.py`, in the order in which people read of them."""


@cache
def connectors() -> Mapping[str, Connector]:
    """Return the description of each connector, by what `kind` is in the configuration."""
    found = [one for room in ROOMS for one in named(f"connectors.{room}.connector:CONNECTORS")]
    return {one.kind: one for one in found}


def sources(workload: Kind | None = None) -> Mapping[str, Connector]:
    """Return the connectors that read items of this kind; of any kind if it is None."""
    return {
        kind: one
        for kind, one in connectors().items()
        if (one.reads if workload is None else workload in one.reads)
    }


def targets(workload: Kind) -> Mapping[str, Connector]:
    """Return the connectors that write items of this kind."""
    return {kind: one for kind, one in connectors().items() if workload in one.writes}
