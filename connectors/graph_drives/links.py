"""Where an address of OneDrive or SharePoint leads, by Graph's /shares.

A sharing link is not redeemed: nobody gets a right because of a question.
"""

from __future__ import annotations

from base64 import urlsafe_b64encode
from functools import cached_property
from urllib.parse import urlsplit

from connectors.graph_api.client import GraphClient, Json, query, segment
from connectors.graph_api.errors import GraphRefusal, translated
from model.optional_protocols import Dead

NO_TENANT = frozenset({"1drv.ms", "onedrive.live.com", "d.docs.live.net"})
"""Hosts of Microsoft's for persons without a tenant."""

OF_A_TENANT = ("-my", "-admin")
"""Ends of the first label of a tenant's hosts, beside its name alone."""


class Links:
    """Resolves addresses, as one of the tenant's applications."""

    def __init__(self, client: GraphClient) -> None:
        self._client = client

    def resolve(self, url: str) -> str | Dead:
        """See model.optional_protocols.SupportsLinks."""
        host = _host(url)
        if host in NO_TENANT:
            return Dead.OTHER_TENANT
        token = "u!" + urlsafe_b64encode(url.encode()).decode().rstrip("=")
        options = query(select="id,parentReference,remoteItem")
        try:
            row = self._client.get(f"/shares/{segment(token)}/driveItem", options)
        except GraphRefusal as refused:
            # Only now, for a tenant in several regions has hosts of several names.
            found = _dead(refused)
            return Dead.OTHER_TENANT if self._tenant not in {"", _tenant(host)} else found
        return _source_id(row) or Dead.UNREADABLE

    @cached_property
    def _tenant(self) -> str:
        """The name in all of this tenant's hosts; "" where the application may not know."""
        try:
            root = self._client.get("/sites/root", query(select="webUrl"))
        except GraphRefusal as refused:
            if refused.status == 401:
                raise
            return ""
        return _tenant(_host(str(root.get("webUrl") or "")))


def _dead(refused: GraphRefusal) -> Dead:
    if refused.status in {404, 410} or refused.absent:
        return Dead.GONE
    if refused.status in {400, 403, 405, 406, 423}:
        return Dead.UNREADABLE
    raise refused if refused.status == 401 else translated(refused)


def _source_id(row: Json) -> str:
    """As graph_drives names items. A shortcut leads to what it stands for."""
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
    """contoso.sharepoint.com and contoso-my.sharepoint.com are one tenant's."""
    label, _, rest = host.partition(".")
    for end in OF_A_TENANT:
        label = label.removesuffix(end)
    return f"{label}.{rest}" if rest else ""
