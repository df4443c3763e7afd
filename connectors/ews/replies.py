"""Read the automatic reply of a mailbox (out of office).

Source:
    https://learn.microsoft.com/exchange/client-developer/web-service-reference/getuseroofsettings-operation
"""

from __future__ import annotations

from lxml import etree

from connectors.ews.client import EwsClient
from connectors.ews.errors import MNS, TNS, EwsRefusal
from connectors.ews.requests import get_reply
from connectors.ews.response_stream import ResponseMessage
from model.errors import Blocked

ANSWER = "GetUserOofSettingsResponse"
_HEAD = f'<m:Items xmlns:m="{MNS[1:-1]}">'.encode()
_FOOT = b"</m:Items>"


def reply_of(client: EwsClient) -> bytes | None:
    """Return the record of the mailbox's reply: its XML as other records of EWS.

    Args:
        client: the EWS client.

    Returns:
        None if this server does not offer replies.

    Raises:
        Blocked: "no-settings-permission": the account may not read it.
        EwsRefusal: the server refuses.
        Transient: the connection failed.
    """
    answers = client.collect(get_reply(client.mailbox), ANSWER, _read)
    return answers[0] if answers else None


def _read(message: ResponseMessage) -> bytes | None:
    told = message.element.find(f"{MNS}ResponseMessage")
    code = "" if told is None else (told.findtext(f"{MNS}ResponseCode") or "").strip()
    if code == "ErrorAccessDenied":
        raise Blocked("no-settings-permission", "the account may not read the automatic reply")
    if code not in {"", "NoError"}:
        raise EwsRefusal(code)
    settings = message.element.find(f"{TNS}OofSettings")
    if settings is None:
        return None
    parts = [settings, *message.element.findall(f"{MNS}AllowExternalOof")]
    if (settings.findtext(f"{TNS}OofState") or "").strip() != "Scheduled":
        for unused in settings.findall(f"{TNS}Duration"):  # servers state today's date there
            settings.remove(unused)
    return _HEAD + b"".join(etree.tostring(one, method="c14n", exclusive=True) for one in parts) + _FOOT
