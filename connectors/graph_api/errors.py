"""Translate the answers of Graph into one error class per reaction.

The tables say what each error code means to a migration. The code decides before the status does, because a
permanent fault may come as a 500. A server's own text is carried where nothing shows it
(`model.server_words`), because it may name a person or a folder.

Source:
    https://learn.microsoft.com/graph/errors
"""

from __future__ import annotations

from collections.abc import Mapping

from connectors import json_answer
from connectors.ews.errors import BUSY as EXCHANGE_BUSY
from connectors.ews.errors import FOLDER_GONE, GONE, UNCONVERTIBLE
from connectors.ews.errors import KNOWN as EXCHANGE_KNOWN
from connectors.http.errors import delay
from model.errors import Blocked, CursorLost, MigrationError, Rejected, Transient
from model.server_words import NOTHING, ServerWords, of_json


def _lower(codes: frozenset[str]) -> frozenset[str]:
    return frozenset(code.lower() for code in codes)


BUSY = _lower(EXCHANGE_BUSY) | {
    "activitylimitreached", "applicationthrottled", "applicationconcurrencylimitexceeded",
    "bandwidthlimitexceeded", "resourcelocked", "servicenotavailable", "serviceunavailable",
    "toomanyrequests", "toomanyretries", "mailboxconcurrencylimitexceeded",
}  # fmt: skip
LOST = frozenset(
    {
        "syncstatenotfound", "syncstateinvalid", "resyncrequired", "resyncchangesapplydifferences",
        "resyncchangesuploaddifferences", "errorinvalidsyncstatedata", "errorsyncstatenotfound",
        "invaliddeltatoken", "deltatokenexpired",
    }
)  # fmt: skip
VANISHED = _lower(GONE) | {"itemnotfound"}
MISSING_FOLDER = _lower(FOLDER_GONE)
MIMELESS = _lower(UNCONVERTIBLE)
MALWARE = frozenset({"malwaredetected", "virusdetected"})
BLOCKED: dict[str, tuple[str, str]] = {
    "errorinvaliduser": ("mailbox-missing", "no user of this name in the tenant"),
    "request_resourcenotfound": ("mailbox-missing", "no user of this name in the tenant"),
    "resourcenotfound": ("mailbox-missing", "no user of this name in the tenant"),
    "errornonexistentmailbox": ("mailbox-missing", "no mailbox of this user"),
    "mailboxnotenabledforrestapi": (
        "mailbox-not-online",
        "no active mailbox in Exchange Online: if it is on premises, read it over EWS",
    ),
    "mailboxnothostedinexchangeonline": (
        "mailbox-not-online",
        "the mailbox is not in Exchange Online: read it over EWS",
    ),
    "errormailboxconfiguration": ("mailbox-missing", "the mailbox is not usable"),
    "erroraccountdisabled": ("account-disabled", "the account is disabled"),
    "erroraccessdenied": ("access-denied", "the application may not read this mailbox"),
    "accessdenied": ("access-denied", "the application may not read this"),
    "authorization_requestdenied": ("access-denied", "the application lacks a permission"),
    "authorization_identitynotfound": ("access-denied", "the application is not known in this tenant"),
    "errorquotaexceeded": ("source-quota", "the source mailbox is over its quota"),
}
DENIED = frozenset({"access-denied"})
KNOWN = frozenset(BLOCKED).union(
    BUSY, LOST, VANISHED, MISSING_FOLDER, MIMELESS, MALWARE, _lower(EXCHANGE_KNOWN),
    {
        "invalidrequest", "badrequest", "generalexception", "unauthenticated", "invalidauthenticationtoken",
        "notsupported", "notallowed", "namealreadyexists", "quotalimitreached", "unsupportedqueryoption",
    },
)  # fmt: skip
"""Values of error.code that may be shown and logged, because they are Microsoft's own."""


class GraphRefusal(Exception):
    """Hold an answer that is an error. It stays inside the connector.

    Attributes:
        said: the server's text.
        status: the HTTP status.
        code: Graph's error code in lower case; "" without one.
        after: the delay in seconds that the server states; None without one.
        claims: what a token must state and did not; None for nothing.
    """

    said: ServerWords = NOTHING

    def __init__(self, status: int, code: str, after: float | None = None, claims: str | None = None) -> None:
        super().__init__(code)
        self.status = status
        self.code = code.lower()
        self.after = after
        self.claims = claims

    @property
    def busy(self) -> bool:
        """Return True if it passes by itself."""
        return self.status in {423, 429, 502, 503, 509} or self.code in BUSY

    @property
    def lost(self) -> bool:
        """Return True if the state of a delta is gone."""
        return self.code in LOST or self.status == 410

    @property
    def unconvertible(self) -> bool:
        """Return True if the server can never make a message of the item."""
        return self.code in MIMELESS

    @property
    def absent(self) -> bool:
        """Return True if what was requested does not exist: an item, or a well-known folder."""
        return self.code in VANISHED or self.code in MISSING_FOLDER


def refusal(status: int, headers: Mapping[str, str], body: bytes | object) -> GraphRefusal:
    """Build the refusal for an answer.

    Malware that only a header reports gets the code for malware, too.

    Args:
        status: the HTTP status.
        headers: values by lower-case name.
        body: the bytes, or the JSON that they hold.
    """
    if "x-virus-infected" in headers:
        return GraphRefusal(status, "malwareDetected")
    claims = _claims(headers.get("www-authenticate", "")) if status == 401 else None
    document = _document(body)
    refused = GraphRefusal(status, _code(document), delay(headers.get("retry-after")), claims)
    refused.said = of_json(document) or ServerWords(refused.code)
    return refused


def _document(body: bytes | object) -> object:
    if not isinstance(body, bytes):
        return body
    try:
        return json_answer.read(body)
    except ValueError:
        return None


def _code(body: object) -> str:
    """Return the error code, or ""."""
    error = body.get("error") if isinstance(body, dict) else None
    code = error.get("code") if isinstance(error, dict) else None
    return code if isinstance(code, str) else ""


def _claims(challenge: str) -> str | None:
    """Return what continuous access evaluation asks for: base64 of JSON in the challenge, or None."""
    if "insufficient_claims" not in challenge:
        return None
    _, _, rest = challenge.partition('claims="')
    return rest.partition('"')[0] or None


def translated(refusal: GraphRefusal) -> MigrationError:
    """Return the error for a refusal of a request that does not concern one item."""
    return _error_for(refusal).about(_public_code(refusal)).quoting(refusal.said)


def _public_code(refusal: GraphRefusal) -> str:
    return refusal.code if refusal.code in KNOWN else f"HTTP {refusal.status}"


def _error_for(refusal: GraphRefusal) -> MigrationError:
    code = refusal.code
    if refusal.lost:
        return CursorLost("cursor-lost", "the server no longer knows the state of this folder")
    if code in BLOCKED:
        return Blocked(*BLOCKED[code])
    if code in MISSING_FOLDER or code in VANISHED:
        return Transient("folder-vanished", "a folder was removed meanwhile: list again")
    if refusal.busy:
        return Transient("busy", f"the server answered HTTP {refusal.status}", after=refusal.after)
    if refusal.status in {408, 504}:
        return Transient("timeout", "the server did not answer in time", after=refusal.after)
    if refusal.status == 401:
        return Blocked("login-refused", "the server refuses the application's token")
    if refusal.status == 403:
        return Blocked("access-denied", "the application may not read this")
    if refusal.status >= 500:
        return Transient("server-error", f"the server answered HTTP {refusal.status}", after=refusal.after)
    if not code:
        return Transient("not-graph", f"HTTP {refusal.status} is no answer of Microsoft Graph")
    return Blocked("server-refuses", f"the server answered {_code_or_unknown(code)}")


def item_error(refusal: GraphRefusal) -> Rejected:
    """Return the error for one item that the server does not give.

    Codes: vanished, mime-conversion-failed, too-large-to-read, corrupt-at-source, item-refused.
    """
    return _item_error(refusal).about(_public_code(refusal)).quoting(refusal.said)


def _item_error(refusal: GraphRefusal) -> Rejected:
    if refusal.code in VANISHED:
        return Rejected("vanished", "no longer at the source")
    if refusal.unconvertible:
        return Rejected("mime-conversion-failed", "the server cannot make a message of it")
    if refusal.code in {"errormessagesizeexceeded", "errordatasizelimitexceeded"} or refusal.status == 413:
        return Rejected("too-large-to-read", "larger than the source server gives out")
    if refusal.code in {"errorcorruptdata", "erroritemcorrupt"}:
        return Rejected("corrupt-at-source", "the source server calls it corrupt")
    return Rejected("item-refused", f"the server answered {_code_or_unknown(refusal.code)}")


def _code_or_unknown(code: str) -> str:
    """Return a code as states and logs may hold it; see KNOWN."""
    return code if code in KNOWN else "an unknown code"
