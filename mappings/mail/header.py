"""Read header fields in a form that is equal for two renderings of one message: see mappings.mail.digest."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from mappings.fields.mime_header import PARAMETER, decoded, parameterised

PARAMETER_FIELDS = frozenset({"content-type", "content-disposition"})
RENDERED_FIELDS = frozenset(
    {
        *("keywords", "importance", "priority", "x-priority", "x-msmail-priority"),
        *("x-message-flag", "reply-by"),
        *("disposition-notification-to", "return-receipt-to", "x-confirm-reading-to"),
        *("x-ms-has-attach", "x-ms-tnef-correlator"),
    }
)
RENDERED_PREFIX = "x-ms-exchange-organization-"
"""Fields of a message that a server renders from what its owner, or the server, may change later.

Categories, importance, follow-up and an answered request for a receipt are carried as flags and keywords. The
others say how the server handled the message.

Source:
    MS-OXCMAIL sections 2.2.3 (PidNameKeywords, PidTagImportance, PidLidFlagRequest, PidTagReplyTime,
    PidTagReadReceiptRequested, PidTagContentFilterSpamConfidenceLevel).
"""
ENCODINGS = frozenset({"7bit", "8bit", "binary", "base64", "quoted-printable"})


@dataclass(frozen=True, slots=True)
class Field:
    """Hold a field.

    Attributes:
        name: in lower case.
        raw: the value unfolded, without its line end.
    """

    name: str
    raw: bytes


@dataclass(frozen=True, slots=True)
class MailHeader:
    """Hold what the body's parser must know, and the fields as they count."""

    kind: str
    parameters: Mapping[str, str]
    encoding: str
    fields: tuple[tuple[str, str], ...]


def is_rendered(name: str) -> bool:
    """Return True if a server renders this field of a message anew from what may change; see RENDERED_FIELDS.

    Args:
        name: in lower case.
    """
    return name in RENDERED_FIELDS or name.startswith(RENDERED_PREFIX)


def read_head(
    fields: Iterable[Field], default: str, uncounted: Callable[[str], bool] = lambda _name: False
) -> MailHeader:
    """Return the header of a part.

    Args:
        fields: in their order.
        default: the content type without a Content-Type field (RFC 2046 section 5.1.5).
        uncounted: returns True for the names of fields that do not count.
    """
    every = list(fields)
    first = {field.name: field.raw for field in reversed(every)}
    has_type = "content-type" in first
    kind, parameters = parameterised(decoded(first["content-type"])) if has_type else (default, {})
    encoding = decoded(first.get("content-transfer-encoding", b"7bit")).strip().lower()
    # Of a known encoding the decoded content counts, however it travels.
    ignored = {"content-transfer-encoding"} if encoding in ENCODINGS else set()
    counted = sorted((f.name, _counted(f)) for f in every if f.name not in ignored and not uncounted(f.name))
    return MailHeader(kind, parameters, encoding, tuple(counted))


def _counted(field: Field) -> str:
    text = decoded(field.raw)
    if field.name not in PARAMETER_FIELDS:
        return text
    main, parameters = parameterised(text)
    kept = sorted((name, value) for name, value in parameters.items() if name != "boundary")
    counted = [(name, value.lower() if name == "charset" else value) for name, value in kept]
    strange = PARAMETER.sub("", text[len(text.partition(";")[0]) :]).strip("; ")
    return repr((main, counted, strange))
