"""Read and write SOAP as Exchange Web Services speak it.

Requests are small and parsed with lxml. Replies are built from strings: a tree for the reply would cost more
than everything else that the server does. A reply is an iterator of byte pieces, so that a body of any size
is never held whole.

Element order and spelling follow Microsoft's schema (messages.xsd, types.xsd).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from lxml import etree

from practice.exchange.habits import Habits

SOAP_NS = "http://schemas.xmlsoap.org/soap/envelope/"
MESSAGES_NS = "http://schemas.microsoft.com/exchange/services/2006/messages"
TYPES_NS = "http://schemas.microsoft.com/exchange/services/2006/types"
ERRORS_NS = "http://schemas.microsoft.com/exchange/services/2006/errors"
XSI_NS = "http://www.w3.org/2001/XMLSchema-instance"
XSD_NS = "http://www.w3.org/2001/XMLSchema"
S = f"{{{SOAP_NS}}}"
M = f"{{{MESSAGES_NS}}}"
T = f"{{{TYPES_NS}}}"

DialectName = Literal["exchange", "gromox"]
Piece = bytes
Pieces = Iterator[Piece]

# Characters XML 1.0 cannot carry at all, not even as a reference; everything a client could not parse.
_FORBIDDEN = {code: None for code in range(32) if code not in (9, 10, 13)} | {0xFFFE: None, 0xFFFF: None}
_FORBIDDEN |= dict.fromkeys(range(0xD800, 0xE000))
_ESCAPES = _FORBIDDEN | {
    ord("&"): "&amp;",
    ord("<"): "&lt;",
    ord(">"): "&gt;",
    ord('"'): "&quot;",
    13: "&#xD;",
}


class SoapFault(Exception):
    """Fail the whole request.

    Attributes:
        status: of HTTP.
        detail: ready XML for MessageXml.
    """

    def __init__(self, code: str, text: str, *, status: int = 500, detail: str = "") -> None:
        super().__init__(code)
        self.code = code
        self.text = text
        self.status = status
        self.detail = detail


class EwsError(Exception):
    """Fail one response message, but not the others of the same reply.

    Attributes:
        detail: ready XML for MessageXml.
    """

    def __init__(self, code: str, text: str, *, detail: str = "") -> None:
        super().__init__(code)
        self.code = code
        self.text = text
        self.detail = detail


@dataclass(frozen=True, slots=True)
class Call:
    """Hold one request: the operation's element and what its SOAP header states.

    Attributes:
        impersonate: (kind, value) of ExchangeImpersonation, e.g. ("PrimarySmtpAddress", "a@b.example").
    """

    operation: str
    element: etree._Element
    impersonate: tuple[str, str] | None = None


def parse_call(body: bytes) -> Call:
    """Return the call of a body.

    Raises:
        SoapFault: ErrorSchemaValidation for anything that is no SOAP request.
    """
    parser = etree.XMLParser(resolve_entities=False, no_network=True, huge_tree=True, remove_comments=True)
    try:
        root = etree.fromstring(body, parser)
    except etree.XMLSyntaxError:
        raise schema_fault("The request is not well-formed XML.", status=400) from None
    soap_body = root.find(f"{S}Body")
    if root.tag != f"{S}Envelope" or soap_body is None or len(soap_body) != 1:
        raise schema_fault("The request is not a SOAP envelope with one request.", status=400)
    element = soap_body[0]
    name = etree.QName(element)
    if name.namespace != MESSAGES_NS:
        raise schema_fault(f"The element '{name.localname}' is not part of the schema.")
    return Call(name.localname, element, _impersonation(root))


def _impersonation(root: etree._Element) -> tuple[str, str] | None:
    sid = root.find(f"{S}Header/{T}ExchangeImpersonation/{T}ConnectingSID")
    if sid is None:
        return None
    if len(sid) != 1:
        raise SoapFault(
            "ErrorInvalidExchangeImpersonationHeaderData", "The ExchangeImpersonation header is invalid."
        )
    return etree.QName(sid[0]).localname, (sid[0].text or "").strip()


def schema_fault(violation: str, *, status: int = 500) -> SoapFault:
    """Return the fault of a request that violates the schema."""
    detail = (
        "<t:LineNumber>1</t:LineNumber><t:LinePosition>1</t:LinePosition>"
        f"<t:Violation>{escape(violation)}</t:Violation>"
    )
    text = f"The request failed schema validation: {violation}"
    return SoapFault("ErrorSchemaValidation", text, status=status, detail=detail)


def escape(text: str) -> str:
    """Text for an element or a double-quoted attribute; what XML cannot carry is left out."""
    return text.translate(_ESCAPES)


def boolean(value: bool) -> str:
    """Return an xs:boolean."""
    return "true" if value else "false"


def stamp(moment: datetime, fraction: bool = False) -> str:
    """Return a dateTime in UTC: whole seconds as Exchange sends them, nine digits as gromox does.

    The digits are made up if the practice world knows no fraction: a client must read them, not trust them.
    """
    text = moment.strftime("%Y-%m-%dT%H:%M:%S")
    if moment.year < 1000:  # strftime does not pad years on Linux
        text = text.zfill(19)
    digits = moment.microsecond * 1000 or 148_390_700
    return f"{text}.{digits:09d}Z" if fraction else f"{text}Z"


def message(operation: str, content: str, *, name: str | None = None) -> str:
    """Return a successful response message."""
    tag = name or f"{operation}ResponseMessage"
    return f'<m:{tag} ResponseClass="Success"><m:ResponseCode>NoError</m:ResponseCode>{content}</m:{tag}>'


def failure(operation: str, error: EwsError, tail: str = "", *, kind: str = "Error") -> str:
    """Return a response message that failed.

    Args:
        operation: its name.
        error: why.
        tail: what the operation appends even then, e.g. <m:Items/>.
        kind: the ResponseClass.
    """
    detail = f"<m:MessageXml>{error.detail}</m:MessageXml>" if error.detail else ""
    return (
        f'<m:{operation}ResponseMessage ResponseClass="{kind}">{failed(error)}{detail}{tail}'
        f"</m:{operation}ResponseMessage>"
    )


def failed(error: EwsError) -> str:
    """Return what every failed response message begins with."""
    return (
        f"<m:MessageText>{escape(error.text)}</m:MessageText><m:ResponseCode>{error.code}</m:ResponseCode>"
        "<m:DescriptiveLinkKey>0</m:DescriptiveLinkKey>"
    )


def value_detail(name: str, value: str) -> str:
    """Return a value for MessageXml."""
    return f'<t:Value Name="{name}">{escape(value)}</t:Value>'


@dataclass(frozen=True, slots=True)
class Dialect:
    """Describe how a server of one make behaves, chosen once by its name.

    Attributes:
        listed_always: properties that FindItem and SyncFolderItems return whether asked for or not.
        resyncs: an invalid sync state gives everything again instead of an error.
        malformed: the code for an id that is none.
        roles_with_ids: DistinguishedFolderId comes unasked with a FolderId that is asked for.
        roles_missing: distinguished folders it does not know: beginnings of their ids.
        mail_wrapped: calendar MIME comes as an RFC 5322 message around the iCalendar object.
        habits: what its maker chose otherwise than Exchange.
    """

    name: DialectName
    head: bytes
    tail: bytes
    content_type: str
    fraction: bool
    groups: str
    parent_change_key: bool
    listed_always: frozenset[str]
    resyncs: bool
    mail_wrapped: bool
    habits: Habits
    malformed: str
    roles_with_ids: bool
    roles_missing: tuple[str, ...]
    bearer: bool

    def envelope(self, operation: str, pieces: Iterable[bytes]) -> Pieces:
        """Return a reply made of response messages."""
        opening = f"<m:{operation}Response {_SPACES}><m:ResponseMessages>"
        yield self.head + opening.encode()
        yield from pieces
        yield f"</m:ResponseMessages></m:{operation}Response>".encode() + self.tail

    def bare(self, element: str) -> Pieces:
        """Return a reply without a ResponseMessages wrapper; the element is complete but for namespaces."""
        opening, _, rest = element.partition(">")
        yield self.head + f"{opening} {_SPACES}>{rest}".encode() + self.tail

    def fault(self, fault: SoapFault) -> bytes:
        """Return the reply of a fault."""
        if self.name == "gromox":
            return _GROMOX_FAULT.format(text=escape(fault.text)).encode()
        detail = f"<t:MessageXml {_TYPES}>{fault.detail}</t:MessageXml>" if fault.detail else ""
        return _EXCHANGE_FAULT.format(code=fault.code, text=escape(fault.text), detail=detail).encode()


_TYPES = f'xmlns:t="{TYPES_NS}"'
_SPACES = f'xmlns:m="{MESSAGES_NS}" {_TYPES}'
_XS = f'xmlns:xsi="{XSI_NS}" xmlns:xsd="{XSD_NS}"'
_DECLARATION = '<?xml version="1.0" encoding="utf-8"?>'
_EXCHANGE_FAULT = (
    f'{_DECLARATION}<s:Envelope xmlns:s="{SOAP_NS}"><s:Body><s:Fault>'
    f'<faultcode xmlns:a="{TYPES_NS}">a:{{code}}</faultcode>'
    '<faultstring xml:lang="en-US">{text}</faultstring>'
    f'<detail><e:ResponseCode xmlns:e="{ERRORS_NS}">{{code}}</e:ResponseCode>'
    f'<e:Message xmlns:e="{ERRORS_NS}">{{text}}</e:Message>{{detail}}</detail></s:Fault></s:Body>'
    "</s:Envelope>"
)
_GROMOX_FAULT = (
    f'<SOAP:Envelope xmlns:SOAP="{SOAP_NS}" {_XS}><SOAP:Header/><SOAP:Body><SOAP:Fault>'
    '<faultcode xsi:type="xsd:string">SOAP:Server</faultcode>'
    '<faultstring xsi:type="xsd:string">{text}</faultstring></SOAP:Fault></SOAP:Body></SOAP:Envelope>'
)

EXCHANGE = Dialect(
    name="exchange",
    head=(
        f'{_DECLARATION}<s:Envelope xmlns:s="{SOAP_NS}"><s:Header>'
        '<h:ServerVersionInfo MajorVersion="15" MinorVersion="2" MajorBuildNumber="1544" MinorBuildNumber="9"'
        f' Version="V2017_07_11" xmlns:h="{TYPES_NS}" xmlns="{TYPES_NS}" {_XS}/></s:Header><s:Body {_XS}>'
    ).encode(),
    tail=b"</s:Body></s:Envelope>",
    content_type="text/xml; charset=utf-8",
    fraction=False,
    groups="",
    parent_change_key=True,
    listed_always=frozenset(),
    resyncs=False,
    mail_wrapped=False,
    habits=Habits(),
    malformed="ErrorInvalidIdMalformed",
    roles_with_ids=False,
    roles_missing=(),
    bearer=True,
)
GROMOX = Dialect(
    name="gromox",
    head=(
        f'<?xml version="1.0" encoding="UTF-8"?><SOAP:Envelope xmlns:SOAP="{SOAP_NS}" {_XS}><SOAP:Header>'
        f'<t:ServerVersionInfo {_TYPES} MajorVersion="15" MinorVersion="0" MajorBuildNumber="847"'
        ' MinorBuildNumber="4040" Version="V2017_07_11"/></SOAP:Header><SOAP:Body>'
    ).encode(),
    tail=b"</SOAP:Body></SOAP:Envelope>",
    content_type="text/xml",
    fraction=True,
    groups="<t:Groups/>",
    parent_change_key=False,
    listed_always=frozenset({"item:DateTimeReceived"}),
    resyncs=True,
    mail_wrapped=True,
    habits=Habits(views="masters"),
    malformed="ErrorInvalidId",
    roles_with_ids=True,
    roles_missing=("archive", "recoverableitems"),
    bearer=False,
)
DIALECTS: dict[str, Dialect] = {"exchange": EXCHANGE, "gromox": GROMOX}
