"""Find where an address of OneDrive or SharePoint leads, with Graph's /shares.

A sharing link is not redeemed: a question gives no rights to anybody.

Source:
    https://learn.microsoft.com/graph/api/shares-get
"""

from __future__ import annotations

from base64 import urlsafe_b64encode
from functools import cached_property
from urllib.parse import urlsplit

from connectors.graph_api.client import GraphClient, Json, query, segment
from connectors.graph_api.errors import GraphRefusal, translated
from model.optional_protocols import Dead

NO_TENANT = frozenset({"1drv.ms", "onedrive.live.com", "d.docs.live.net"})
"""Microsoft's hosts for people without a tenant."""

OF_A_TENANT = ("-my", "-admin")
"""Suffixes of the first label of a tenant's hosts; one host has none."""


class Links:
    """Resolve addresses as one of the tenant's applications."""

    def __init__(self, client: GraphClient) -> None:
        self._client = client

    def resolve(self, url: str) -> str | Dead:
        """Return the item at an address; see `model.optional_protocols.SupportsLinks`."""
        host = _host(url)
        if host in NO_TENANT:
            return Dead.OTHER_TENANT
        token = "u!" + urlsafe_b64encode(url.encode()).decode().rstrip("=")
        options = query(select="id,parentReference,remoteItem")
        try:
            row = self._client.get(f"/shares/{segment(token)}/driveItem", options)
        except GraphRefusal as refused:
            # Only after a refusal, because a tenant in several regions has hosts of several names.
            reason = _reason(refused)
            return Dead.OTHER_TENANT if self._tenant not in {"", _tenant(host)} else reason
        return _source_id(row) or Dead.UNREADABLE

    @cached_property
    def _tenant(self) -> str:
        """Return the name in all of this tenant's hosts; "" where the application may not ask."""
        try:
            root = self._client.get("/sites/root", query(select="webUrl"))
        except GraphRefusal as refused:
            if refused.status == 401:
                raise
            return ""
        return _tenant(_host(str(root.get("webUrl") or "")))


def _reason(refused: GraphRefusal) -> Dead:
    """Return why an address leads to no item."""
    if refused.status in {404, 410} or refused.absent:
        return Dead.GONE
    if refused.status in {400, 403, 405, 406, 423}:
        return Dead.UNREADABLE
    raise refused if refused.status == 401 else translated(refused)


def _source_id(row: Json) -> str:
    """Return the id as `connectors.graph_drives` names items; a shortcut leads to its target."""
    remote = row.get("remoteItem")
    item = remote if isinstance(remote, dict) else row
    parent = item.get("parentReference")
    drive = str(parent.get("driveId") or "") if isinstance(parent, dict) else ""
    return f"{drive}/{item['id']}" if drive and item.get("id") else ""


def _host(url: str) -> str:
    try:
        return (urlsplit(url).hostname or "").lower()
    except ValueError:
        return ""


def _tenant(host: str) -> str:
    """Return one name for all hosts of a tenant: contoso.sharepoint.com, contoso-my.sharepoint.com."""
    label, _, rest = host.partition(".")
    for end in OF_A_TENANT:
        label = label.removesuffix(end)
    return f"{label}.{rest}" if rest else ""
