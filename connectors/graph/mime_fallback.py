"""Rebuild a message from its properties when Graph cannot convert it to MIME.

With application permissions Graph converts no S/MIME message. There the attachment holds what was signed or
encrypted (MS-OXOSMIME, section 2.1), and the rebuilt message contains it as the original did. The mapping
sees Rebuilt = True and names what else is lost: the original headers.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from connectors.exchange.mime_builder import (
    FAILED,
    Letter,
    MimePart,
    Party,
    attached_file,
    attached_item,
    text_part,
    write,
    write_entity,
)
from connectors.graph_api.client import GraphClient, Json, query, segment
from connectors.graph_api.errors import GraphRefusal, item_error
from connectors.graph_api.messages import properties, version_of
from model.errors import Rejected, Transient
from model.protocols import Body, Failed, Native, Ref, key_of

PARTIES = (
    ("From", "from"), ("To", "toRecipients"), ("Cc", "ccRecipients"), ("Bcc", "bccRecipients"),
    ("Reply-To", "replyTo"),
)  # fmt: skip
FIELDS = "subject,body,sender,toRecipients,ccRecipients,bccRecipients,replyTo,internetMessageHeaders"
SECURE = "ipm.note.smime"
ATTACHMENTS = query(select="id,name,contentType,size,isInline,microsoft.graph.fileAttachment/contentId")


def rebuilt(client: GraphClient, format_: str, ref: Ref, select: str, expand: str) -> Native | Failed:
    """Return the message as one that we built; Failed when its properties cannot be read either.

    Args:
        client: the Graph client.
        format_: the format of the result.
        ref: the message.
        select: the fields of the properties.
        expand: the MAPI properties.

    Raises:
        GraphRefusal: the mailbox is refused.
        Transient, Blocked: the server cannot be asked, after the retries.
    """
    try:
        return _rebuild(client, format_, ref, query(select=f"{select},{FIELDS}", expand=expand))
    except GraphRefusal as refused:
        if refused.status in {401, 403}:
            raise
        error = item_error(refused)
        return Failed(
            key_of(ref.id),
            error if error.code == "vanished" else Rejected(*FAILED).quoting(error.words),
        )
    except Rejected as error:
        return Failed(key_of(ref.id), error)
    except Transient as error:
        if error.code not in {"not-graph", "server-error", "timeout"}:
            raise
        client.probe()
        return Failed(key_of(ref.id), Rejected(*FAILED))


def _rebuild(client: GraphClient, format_: str, ref: Ref, options: str) -> Native:
    """Read the properties and write the message."""
    path = f"{client.home}/messages/{segment(ref.id)}"
    item = client.get(path, options)
    facts = {**properties(item), "Rebuilt": True}
    attachments = list(client.rows(f"{path}/attachments", ATTACHMENTS))
    letter = _letter(item, facts)
    sink = client.sink()
    secured = _secure_content(client, path, str(facts["ItemClass"]), attachments)
    if secured is None:
        parts = [_text(item), *(_part(client, path, attachment) for attachment in attachments)]
        write(sink, ref.id, letter, parts)
    elif secured[1]:
        write_entity(sink, letter, secured[0])
    else:
        head = ("Content-Type: application/pkcs7-mime; name=smime.p7m",
                "Content-Disposition: attachment; filename=smime.p7m")  # fmt: skip
        write(sink, ref.id, letter, [MimePart(head, secured[0])])
    size = int(str(facts["Size"])) or ref.size
    return Native(Ref(ref.id, version_of(item) or ref.version, size=size), format_, facts, sink.finish())


def _secure_content(
    client: GraphClient, path: str, class_: str, attachments: list[Json]
) -> tuple[Body, bool] | None:
    """Return what was signed or encrypted, and True if it is a MIME entity with its own header.

    Otherwise it is a CMS object. None: the message is not S/MIME.
    """
    if not class_.lower().startswith(SECURE) or len(attachments) != 1:
        return None
    body = client.body(f"{path}/attachments/{segment(str(attachments[0].get('id')))}/$value", html=True)
    with body() as stream:
        start = stream.read(200).lstrip().lower()
    entity = start.startswith((b"content-type:", b"mime-version:"))
    return (body, entity) if entity or start.startswith(b"\x30") else None


def _part(client: GraphClient, path: str, entry: Json) -> MimePart:
    type_ = str(entry.get("@odata.type") or "").lower()
    if type_.endswith("referenceattachment"):
        raise Rejected(*FAILED)
    body = client.body(f"{path}/attachments/{segment(str(entry.get('id')))}/$value", html=True)
    if type_.endswith("itemattachment"):
        return attached_item(body)
    return attached_file(
        str(entry.get("contentType") or ""),
        str(entry.get("name") or ""),
        str(entry.get("contentId") or ""),
        body,
        inline=entry.get("isInline") is True,
    )


def _letter(item: Json, facts: Mapping[str, object]) -> Letter:
    when = facts["Sent"] or facts["Received"] or facts["Created"]
    headers = _headers(item)
    parties = {name: _parties(item.get(field)) for name, field in PARTIES}
    parties["From"] = parties["From"] or _parties(item.get("sender"))
    return Letter(
        parties=parties,
        date=when if isinstance(when, datetime) else None,
        subject=str(item.get("subject") or ""),
        message_id=str(facts["MessageId"] or ""),
        in_reply_to=headers.get("in-reply-to", ""),
        references=headers.get("references", ""),
        importance=str(facts["Importance"]),
    )


def _headers(item: Json) -> dict[str, str]:
    """Return the header fields by lower-case name."""
    raw = item.get("internetMessageHeaders")
    rows = [row for row in raw if isinstance(row, dict)] if isinstance(raw, list) else []
    return {str(row.get("name")).lower(): str(row.get("value") or "") for row in reversed(rows)}


def _parties(recipients: object) -> list[Party]:
    """Return names and addresses."""
    many = recipients if isinstance(recipients, list) else [recipients]
    boxes = [recipient.get("emailAddress") for recipient in many if isinstance(recipient, dict)]
    return [_party(box) for box in boxes if isinstance(box, dict)]


def _party(box: Json) -> Party:
    address = str(box.get("address") or "").strip()
    return str(box.get("name") or ""), address if "@" in address else None


def _text(item: Json) -> MimePart:
    body = item.get("body")
    body = body if isinstance(body, dict) else {}
    return text_part(str(body.get("content") or ""), html=str(body.get("contentType")).lower() == "html")
