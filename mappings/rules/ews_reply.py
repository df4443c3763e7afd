"""Read an automatic reply from the element <t:OofSettings> that EWS answers to GetUserOofSettings.

The record has <m:AllowExternalOof> after it, where the server states that.

Source:
    https://learn.microsoft.com/exchange/client-developer/web-service-reference/getuseroofsettings-operation,
    types.xsd (UserOofSettings)
"""

from __future__ import annotations

from datetime import UTC, datetime

from mappings.fields.ews_xml import items, kind, text
from mappings.rules.reply import Audience, Reply
from model.errors import Rejected
from model.protocols import Native


def ews_reply(native: Native) -> Reply:
    """Return the reply that a record states. A duration without a zone is in UTC.

    Raises:
        Rejected: "malformed-record".
    """
    settings, *more = items(native)
    state = text(settings, "t:OofState").strip()
    allowed = next(((one.text or "").strip() for one in more if kind(one) == "AllowExternalOof"), "All")
    audience = text(settings, "t:ExternalAudience").strip().lower() if allowed != "None" else ""
    scheduled = state == "Scheduled"
    return Reply(
        enabled=state in {"Enabled", "Scheduled"},
        audience=Audience(audience) if audience in {*Audience} else Audience.NONE,
        inside=text(settings, "t:InternalReply/t:Message"),
        outside=text(settings, "t:ExternalReply/t:Message"),
        start=_moment(text(settings, "t:Duration/t:StartTime")) if scheduled else None,
        end=_moment(text(settings, "t:Duration/t:EndTime")) if scheduled else None,
    )


def _moment(written: str) -> datetime:
    try:
        when = datetime.fromisoformat(written.strip())
        return (when if when.tzinfo else when.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError):
        raise Rejected("malformed-record", "a reply without its times would never end") from None
