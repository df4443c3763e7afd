"""What Exchange cannot convert to MIME is rebuilt from its properties, or refused alone."""

from __future__ import annotations

from ews_responder import (
    Answer,
    Request,
    envelope,
    error,
    item,
    message,
    responder,
)
from ews_scripts import BODIES, INBOX, REFS, Open, expected, flawed, outcome

from model.protocols import Native


def test_a_message_that_cannot_be_converted_is_rebuilt(source: Open) -> None:
    parts = (
        '<t:Subject>Grüße &amp; mehr</t:Subject><t:Body BodyType="HTML">&lt;p&gt;Hallo&lt;/p&gt;</t:Body>'
        '<t:Attachments><t:FileAttachment><t:AttachmentId Id="A1"/><t:Name>x</t:Name></t:FileAttachment>'
        '<t:ItemAttachment><t:AttachmentId Id="A2"/><t:Name>y</t:Name></t:ItemAttachment></t:Attachments>'
        "<t:DateTimeSent>2024-02-03T04:05:06Z</t:DateTimeSent>"
        "<t:ToRecipients><t:Mailbox><t:Name>Bert, B.</t:Name>"
        "<t:EmailAddress>bert@example.org</t:EmailAddress>"
        "<t:RoutingType>SMTP</t:RoutingType></t:Mailbox><t:Mailbox><t:Name>Intern</t:Name>"
        "<t:EmailAddress>/O=X/CN=Y</t:EmailAddress><t:RoutingType>EX</t:RoutingType></t:Mailbox></t:ToRecipients>"
        "<t:From><t:Mailbox><t:Name>Änne</t:Name><t:EmailAddress>ae@example.org</t:EmailAddress>"
        "<t:RoutingType>SMTP</t:RoutingType></t:Mailbox></t:From>"
        "<t:InternetMessageId>&lt;id@example.org&gt;</t:InternetMessageId>"
    )
    inner = b"Subject: inside\r\n\r\nbody\r\n"
    data = bytes(range(256)) * 900

    def script(request: Request) -> Answer:
        if request.operation == "GetAttachment":
            import base64

            file = (
                '<t:FileAttachment><t:AttachmentId Id="A1"/><t:Name>Über.pdf</t:Name>'
                "<t:ContentType>application/pdf</t:ContentType><t:IsInline>false</t:IsInline>"
                f"<t:Content>{base64.b64encode(data).decode()}</t:Content></t:FileAttachment>"
            )
            mail = (
                '<t:ItemAttachment><t:AttachmentId Id="A2"/><t:Name>inside</t:Name><t:Message>'
                f"<t:MimeContent>{base64.b64encode(inner).decode()}</t:MimeContent></t:Message></t:ItemAttachment>"
            )
            found = file if '"A1"' in request.xml else mail
            return Answer(
                envelope("GetAttachment", message("GetAttachment", f"<m:Attachments>{found}</m:Attachments>"))
            )
        if request.mime:
            answers = [
                error("GetItem", "ErrorMimeContentConversionFailed")
                if one == "id3="
                else item(one, BODIES[one])
                for one in request.ids
            ]
            return Answer(envelope("GetItem", *answers))
        return Answer(envelope("GetItem", item("id3=", None, extra=parts)))

    import email
    import email.policy

    with responder(script) as server:
        one = source(server, spool_above=1000)
        found = {n.ref.id: n for n in one.fetch(INBOX, REFS) if isinstance(n, Native)}
        assert len(found) == len(REFS)
        native = found["id3="]
        assert native.properties["Rebuilt"] is True
        assert native.body is not None
        wire = native.body().read()
        (again,) = one.fetch(INBOX, [REFS[3]])
        assert isinstance(again, Native)
        assert again.body is not None
        assert again.body().read() == wire
    assert b"\n" not in wire.replace(b"\r\n", b"")
    mail = email.message_from_bytes(wire, policy=email.policy.default)
    assert mail["Subject"] == "Grüße & mehr"
    assert mail["From"] == "Änne <ae@example.org>"
    assert mail["To"] == '"Bert, B." <bert@example.org>, Intern:;'
    assert mail["Message-ID"] == "<id@example.org>"
    assert mail["Date"].datetime.year == 2024
    text, pdf, inside = mail.iter_parts()
    assert text.get_content() == "<p>Hallo</p>"
    assert pdf.get_content() == data
    assert pdf.get_filename() == "Über.pdf"
    assert inside.get_content()["Subject"] == "inside"


def test_a_message_that_comes_without_its_mime_is_asked_for_again_before_it_is_rebuilt(source: Open) -> None:
    def without(request: Request, before: int) -> Answer | None:
        if before:
            return None
        parts = [item(one, None if one == "id3=" else BODIES[one]) for one in request.ids]
        return Answer(envelope("GetItem", *parts))

    with responder(flawed(without)) as server:
        found = [one for one in source(server).fetch(INBOX, REFS) if isinstance(one, Native)]
    assert outcome(iter(found)) == expected()
    assert not any(one.properties.get("Rebuilt") for one in found)


def test_what_cannot_even_be_rebuilt_is_refused(source: Open) -> None:
    def script(request: Request, _: int) -> Answer | None:
        if "id3=" not in request.ids:
            return None
        if request.mime and len(request.ids) > 1:
            answers = [
                error("GetItem", "ErrorMimeContentConversionFailed")
                if one == "id3="
                else item(one, BODIES[one])
                for one in request.ids
            ]
            return Answer(envelope("GetItem", *answers))
        return Answer(envelope("GetItem", error("GetItem", "ErrorCorruptData")))

    with responder(flawed(script)) as server:
        assert outcome(source(server).fetch(INBOX, REFS)) == expected(id3="mime-conversion-failed")


def test_a_text_too_large_to_parse_costs_that_item_alone(source: Open) -> None:
    def script(request: Request, _: int) -> Answer | None:
        if "id3=" not in request.ids:
            return None
        if request.mime:
            answers = [item(one, None if one == "id3=" else BODIES[one]) for one in request.ids]
            return Answer(envelope("GetItem", *answers))
        return Answer(envelope("GetItem", item("id3=", None, extra=f"<t:Body>{'x' * 11_000_000}</t:Body>")))

    with responder(flawed(script)) as server:
        assert outcome(source(server).fetch(INBOX, REFS)) == expected(id3="mime-conversion-failed")
