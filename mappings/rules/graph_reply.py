"""Read an automatic reply from Graph's automaticRepliesSetting.

Source:
    https://learn.microsoft.com/graph/api/resources/automaticrepliessetting
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime

from mappings.exchange import graph_json
from mappings.rules.reply import Audience, Reply
from mappings.time.zones import named_zone
from model.errors import Rejected
from model.protocols import Native

_AUDIENCES: Mapping[object, Audience] = {
    "none": Audience.NONE,
    "contactsOnly": Audience.KNOWN,
    "all": Audience.ALL,
}


def graph_reply(native: Native) -> Reply:
    """Return the reply that a record states.

    Raises:
        Rejected: "malformed-record".
    """
    setting = graph_json.record(native)["item"]
    status = setting.get("status")
    scheduled = status == "scheduled"
    return Reply(
        enabled=status in {"alwaysEnabled", "scheduled"},
        audience=_AUDIENCES.get(setting.get("externalAudience"), Audience.NONE),
        inside=str(setting.get("internalReplyMessage") or ""),
        outside=str(setting.get("externalReplyMessage") or ""),
        start=_moment(setting.get("scheduledStartDateTime")) if scheduled else None,
        end=_moment(setting.get("scheduledEndDateTime")) if scheduled else None,
    )


def _moment(stated: object) -> datetime:
    """Return a moment; its zone has a name of Windows or of IANA."""
    try:
        if not isinstance(stated, dict):
            raise ValueError("no date")
        written, zone = str(stated["dateTime"]), named_zone(str(stated.get("timeZone") or "UTC"))
        if zone is None:
            raise ValueError("no zone")
        return datetime.fromisoformat(written[:19]).replace(tzinfo=zone.info).astimezone(UTC)
    except (ValueError, KeyError, OverflowError):
        raise Rejected("malformed-record", "a reply without its times would never end") from None
