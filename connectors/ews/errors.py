"""Translate the answers of an EWS server into one error class per reaction.

The tables say what each ResponseCode means to a migration. A server's own text is carried where nothing shows
it (`model.server_words`), because it may name a person or a folder.

Source:
    https://learn.microsoft.com/exchange/client-developer/web-service-reference/responsecode
"""

from __future__ import annotations

from lxml import etree

from connectors.http.errors import delay
from model.errors import Blocked, CursorLost, MigrationError, Rejected, Transient
from model.server_words import NOTHING, ServerWords

MNS = "{http://schemas.microsoft.com/exchange/services/2006/messages}"
TNS = "{http://schemas.microsoft.com/exchange/services/2006/types}"
ENS = "{http://schemas.microsoft.com/exchange/services/2006/errors}"
SOAP = "{http://schemas.xmlsoap.org/soap/envelope/}"

INCOMPLETE = "reply-incomplete"

BUSY = frozenset(
    {
        "ErrorServerBusy", "ErrorExceededConnectionCount", "ErrorTooManyObjectsOpened", "ErrorTimeoutExpired",
        "ErrorInternalServerTransientError", "ErrorMailboxStoreUnavailable", "ErrorMailboxMoveInProgress",
        "ErrorMailboxFailover", "ErrorConnectionFailed", "ErrorInsufficientResources", "ErrorADUnavailable",
        "ErrorADOperation", "ErrorBatchProcessingStopped", "ErrorPublicFolderServerNotFound",
        "ErrorOrganizationFederated", "ErrorTimeoutExceeded", "ErrorExceededMessageLimit",
    }
)  # fmt: skip

BLOCKED: dict[str, tuple[str, str]] = {
    "ErrorImpersonateUserDenied": (
        "impersonation-refused",
        "the service account may not impersonate this user",
    ),
    "ErrorImpersonationDenied": (
        "impersonation-refused",
        "the service account may not impersonate this user",
    ),
    "ErrorImpersonationFailed": ("impersonation-refused", "the server could not impersonate this user"),
    "ErrorInvalidExchangeImpersonationHeaderData": ("impersonation-refused", "the server knows no such user"),
    "ErrorNonExistentMailbox": ("mailbox-missing", "no mailbox with this address"),
    "ErrorMissingEmailAddress": ("mailbox-missing", "the account has no address"),
    "ErrorMissingInformationEmailAddress": ("mailbox-missing", "the account has no address"),
    "ErrorMailboxConfiguration": ("mailbox-missing", "the mailbox is not usable"),
    "ErrorNonPrimarySmtpAddress": ("address-not-primary", "name the mailbox by its primary address"),
    "ErrorAccountDisabled": ("account-disabled", "the account is disabled"),
    "ErrorPasswordExpired": ("login-refused", "the password has expired"),
    "ErrorPasswordChangeRequired": ("login-refused", "the password must be changed first"),
    "ErrorAccessDenied": ("access-denied", "the account may not read this mailbox"),
    "ErrorCrossMailboxMoveCopy": ("access-denied", "the account may not read this mailbox"),
    "ErrorLogonAsNetworkServiceFailed": ("access-denied", "the account may not read this mailbox"),
    "ErrorProxyRequestNotAllowed": ("server-refuses", "ask the server that holds this mailbox"),
    "ErrorInvalidServerVersion": ("server-too-old", "Exchange 2010 SP2 or newer is needed"),
    "ErrorIncorrectSchemaVersion": ("server-too-old", "Exchange 2010 SP2 or newer is needed"),
    "ErrorInvalidSchemaVersionForMailboxVersion": ("server-too-old", "Exchange 2010 SP2 or newer is needed"),
    "ErrorQuotaExceeded": ("source-quota", "the source mailbox is over its quota"),
}

INTERNAL_ERROR, UNKNOWN_REQUEST = "ErrorInternalServerError", "ErrorUnknownRequest"
GONE = frozenset(
    {
        "ErrorItemNotFound", "ErrorMessageNotFound", "ErrorMovedItemNotFound",
        "ErrorCalendarOccurrenceIsDeletedFromRecurrence",
    }
)  # fmt: skip
FOLDER_GONE = frozenset({"ErrorFolderNotFound", "ErrorSyncFolderNotFound", "ErrorParentFolderNotFound"})
CURSOR_LOST = frozenset({"ErrorInvalidSyncStateData", "ErrorSyncStateNotFound"})
UNCONVERTIBLE = frozenset(
    {
        "ErrorMimeContentConversionFailed", "ErrorMimeContentInvalid", "ErrorMimeContentInvalidBase64String",
        "ErrorUnsupportedMimeConversion", "ErrorContentConversionFailed",
    }
)  # fmt: skip
REFUSED_FIELDS = frozenset(
    {
        "ErrorInvalidPropertyRequest", "ErrorSchemaValidation", "ErrorInvalidRequest",
        "ErrorInvalidPropertyForOperation", "ErrorInvalidExtendedProperty", UNKNOWN_REQUEST,
    }
)  # fmt: skip
TOO_OLD = frozenset(
    {"ErrorInvalidServerVersion", "ErrorIncorrectSchemaVersion", "ErrorInvalidSchemaVersionForMailboxVersion"}
)
OTHERS = frozenset(
    {
        "ErrorInvalidOperation", "ErrorInvalidId", "ErrorInvalidIdMalformed",
        "ErrorUnsupportedTypeForConversion", "ErrorVirusDetected", "ErrorVirusMessageDeleted",
        "ErrorItemSavePropertyError", "ErrorItemPropertyRequestFailed", "ErrorInternalServerError",
        "ErrorCorruptData", "ErrorItemCorrupt", "ErrorMessageSizeExceeded", "ErrorDataSizeLimitExceeded",
        "ErrorInvalidSmtpAddress", "ErrorInvalidUserSid", "ErrorNoRespondingCASInDestinationSite",
        "ErrorProxyCallFailed", "ErrorProxyGroupSidLimitExceeded", "ErrorClientDisconnected",
        "ErrorFreeBusyGenerationFailed", "ErrorOperationNotAllowedWithPublicFolderRoot",
        "ErrorPublicFolderMailboxDiscoveryFailed", "ErrorTokenSerializationDenied", "ErrorInvalidLicense",
        "ErrorCalendarIsNotOrganizer", "ErrorReadEventsFailed",
    }
)  # fmt: skip
KNOWN = frozenset(BLOCKED).union(
    BUSY, GONE, FOLDER_GONE, CURSOR_LOST, UNCONVERTIBLE, REFUSED_FIELDS, TOO_OLD, OTHERS
)
"""ResponseCodes that may be shown and logged, because they are Exchange's own; others might be a person's
name."""


class EwsRefusal(Exception):
    """Hold a well-formed answer that is an error. It stays inside the connector.

    Attributes:
        code: the server's ResponseCode.
        busy: True if it passes by itself.
        after: the delay in seconds that the server states; None without one.
        whole: True if the entire request failed (a SOAP fault), not one of its parts.
        said: the server's text.
    """

    said: ServerWords = NOTHING

    def __init__(
        self, code: str, *, busy: bool = False, after: float | None = None, whole: bool = True
    ) -> None:
        super().__init__(code)
        self.code = code
        self.busy = busy
        self.after = after
        self.whole = whole


def refusal_of(element: etree._Element) -> EwsRefusal | None:
    """Return the refusal that a ResponseMessage or a Fault states; None for a success or a warning."""
    if element.tag == SOAP + "Fault":
        refusal, text = _fault(element), element.findtext("faultstring")
    elif element.get("ResponseClass") == "Error":
        code = (element.findtext(MNS + "ResponseCode") or "").strip() or "ErrorUnknown"
        refusal = _refusal(code, element.find(MNS + "MessageXml"), whole=False)
        text = element.findtext(MNS + "MessageText")
    else:
        return None
    unknown = "" if _public_code(refusal.code) else refusal.code
    refusal.said = ServerWords(f"{unknown} {text or ''}".strip())
    return refusal


def _fault(element: etree._Element) -> EwsRefusal:
    """Return the refusal that a Fault states."""
    detail = element.find("detail")
    code, values = "", None
    if detail is not None:
        code = detail.findtext(ENS + "ResponseCode") or ""
        values = detail.find(TNS + "MessageXml")
    if not code:
        code = (element.findtext("faultcode") or "").rpartition(":")[2]
    code = code.strip()
    return _refusal(code if code.startswith("Error") else _codeless(element, code), values, whole=True)


def _codeless(element: etree._Element, origin: str) -> str:
    """Return a code for a fault that has text only, as one dialect sends it.

    An unknown call is refused for good; any other fault of the server may pass.
    """
    text = element.findtext("faultstring") or ""
    is_final = origin == "Client" or any(words in text for words in ("Unknown request", "schema validation"))
    return UNKNOWN_REQUEST if is_final else INTERNAL_ERROR


def _refusal(code: str, values: etree._Element | None, *, whole: bool) -> EwsRefusal:
    """Return a refusal with its delay; an internal error gets the code of its inner error."""
    after, inner = None, ""
    for value in values.iter(TNS + "Value") if values is not None else ():
        name, text = value.get("Name"), (value.text or "").strip()
        if name == "BackOffMilliseconds":
            after = _seconds(text)
        elif name == "InnerErrorResponseCode":
            inner = text
    busy = code in BUSY or (code.startswith("ErrorInternalServer") and inner in BUSY)
    if not busy and code == INTERNAL_ERROR and inner:
        code = inner
    return EwsRefusal(code, busy=busy, after=after, whole=whole)


def _seconds(milliseconds: str) -> float | None:
    try:
        return max(0.0, int(milliseconds) / 1000)
    except ValueError:
        return None


def translated(refusal: EwsRefusal) -> MigrationError:
    """Return the error for a refusal of a whole request, not of one item of a batch."""
    return _error_for(refusal).about(_public_code(refusal.code)).quoting(refusal.said)


def _public_code(code: str) -> str:
    """Return a code that may be shown, else ""."""
    return code if code in KNOWN else ""


def _error_for(refusal: EwsRefusal) -> MigrationError:
    code = refusal.code
    if refusal.busy:
        return Transient("busy", "the server asked to wait", after=refusal.after)
    if code in BLOCKED:
        return Blocked(*BLOCKED[code])
    if code in CURSOR_LOST:
        return CursorLost("cursor-lost", "the server no longer knows the sync state")
    if code in FOLDER_GONE:
        return Transient("folder-vanished", "a folder was removed meanwhile: list again")
    if code == INTERNAL_ERROR:
        return Transient("server-error", "the server reported an internal error")
    return Blocked("server-refuses", f"the server answered {_code_or_unknown(code)}")


def incomplete() -> Transient:
    """Return the error for a success that lacks what was requested. Servers under load answer so."""
    return Transient(INCOMPLETE, "the reply left items out")


def item_error(refusal: EwsRefusal) -> Rejected:
    """Return the error for one item that the server does not give.

    Codes: vanished, mime-conversion-failed, too-large-to-read, corrupt-at-source, item-refused.
    """
    return _item_error(refusal.code).about(_public_code(refusal.code)).quoting(refusal.said)


def _item_error(code: str) -> Rejected:
    if code in GONE:
        return Rejected("vanished", "no longer at the source")
    if code in UNCONVERTIBLE:
        return Rejected("mime-conversion-failed", "the server cannot make a message of it")
    if code in {"ErrorMessageSizeExceeded", "ErrorDataSizeLimitExceeded"}:
        return Rejected("too-large-to-read", "larger than the source server gives out")
    if code in {"ErrorCorruptData", "ErrorItemCorrupt"}:
        return Rejected("corrupt-at-source", "the source server calls it corrupt")
    return Rejected("item-refused", f"the server answered {_code_or_unknown(code)}")


def _code_or_unknown(code: str) -> str:
    """Return a code as states and logs may hold it; see KNOWN."""
    return _public_code(code) or "an unknown code"


def http_error(status: int, retry_after: str | None) -> MigrationError:
    """Return the error for an HTTP status without a SOAP answer.

    Args:
        status: the HTTP status.
        retry_after: the header Retry-After; None without one.

    Returns:
        Transient: busy, server-error, not-soap. Blocked: login-refused, access-denied.
    """
    return _http_error(status, retry_after).about(f"HTTP {status}")


def _http_error(status: int, retry_after: str | None) -> MigrationError:
    if status in {408, 429, 502, 503, 504}:
        return Transient("busy", f"the server answered HTTP {status}", after=delay(retry_after))
    if status == 401:
        return Blocked("login-refused", "the server refuses the login; it was not tried again")
    if status in {403, 456}:
        return Blocked("access-denied", "the server forbids EWS to this account")
    if status >= 500:
        return Transient("server-error", f"the server answered HTTP {status}", after=delay(retry_after))
    return Transient("not-soap", f"HTTP {status} is no answer of an Exchange web service")
