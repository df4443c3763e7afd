"""Read what programs keep beside the items of a folder: user configurations, here the working hours.

Each is asked for by its name, and one request names one. What its person never changed does not exist.

Source:
    https://learn.microsoft.com/exchange/client-developer/web-service-reference/getuserconfiguration-operation
    MS-OXOCFG, 2.2.5.3 (the configuration of working hours lies in the calendar)
"""

from __future__ import annotations

from lxml import etree

from connectors.ews.client import EwsClient
from connectors.ews.errors import FOLDER_GONE, GONE, MNS, REFUSED_FIELDS, TNS, EwsRefusal
from connectors.ews.requests import get_configuration
from connectors.ews.response_stream import ResponseMessage
from model.errors import Blocked

ANSWER = "GetUserConfigurationResponseMessage"
FOLDER, NAME = "calendar", "WorkHours"
_HEAD = f'<m:Items xmlns:m="{MNS[1:-1]}" xmlns:t="{TNS[1:-1]}"><t:UserConfiguration>'.encode()
_FOOT = b"</t:UserConfiguration></m:Items>"


def hours_of(client: EwsClient) -> bytes | None:
    """Return the record of the mailbox's working hours: its XML as other records of EWS.

    Args:
        client: the EWS client.

    Returns:
        None if the person never set any, or if this server does not offer configurations.

    Raises:
        Blocked: "no-settings-permission": the account may not read it.
        EwsRefusal: the server refuses.
        Transient: the connection failed.
    """
    try:
        answers = client.collect(get_configuration(NAME, FOLDER, client.mailbox), ANSWER, _read)
    except EwsRefusal as refusal:
        if refusal.code == "ErrorAccessDenied":
            raise Blocked("no-settings-permission", "the account may not read the working hours") from None
        if refusal.code in GONE | FOLDER_GONE | REFUSED_FIELDS:
            return None
        raise
    return answers[0] if answers else None


def _read(message: ResponseMessage) -> bytes | None:
    data = message.element.find("{*}UserConfiguration/{*}XmlData")
    if data is None or not (data.text or "").strip():
        return None
    held = etree.Element(f"{TNS}XmlData", nsmap={"t": TNS[1:-1]})
    held.text = "".join((data.text or "").split())
    return _HEAD + etree.tostring(held, method="c14n", exclusive=True) + _FOOT
