"""What Graph cannot convert to MIME is rebuilt from its properties: S/MIME as it was signed or encrypted."""

from __future__ import annotations

import email
from email.message import EmailMessage
from email.policy import default
from typing import cast

import pytest
from graph_script import HOME, INBOX, Answer, Ask, Cloud, Open, error, message

from connectors.settings import Account
from mappings.mail.digest import canonical
from model.protocols import Failed, Native, Ref
from practice.graph.server import GraphServer, never_converted

PATH = f"{HOME}/messages/m1"
SIGNED = (
    b'Content-Type: multipart/signed; protocol="application/pkcs7-signature"; boundary="b"\r\n\r\n'
    b"--b\r\nContent-Type: text/plain\r\n\r\nsigned\r\n--b\r\n"
    b"Content-Type: application/pkcs7-signature\r\n\r\nxx\r\n--b--\r\n"
)
SEALED = b"\x30\x82\x01\x00" + bytes(range(200))


def cloud(class_: str, attachments: dict[str, tuple[dict[str, object], bytes]], **changes: object) -> Cloud:
    """A mail that cannot be converted, with these attachments: their rows and contents by id."""
    tags = [{"id": "String 0x1a", "value": class_}, {"id": "Integer 0xe08", "value": "500"}]

    def script(ask: Ask) -> Answer:
        if ask.path == f"{PATH}/$value":
            return error("ErrorMimeContentConversionFailed", 500)
        if ask.path == f"{PATH}/attachments":
            rows = [{"id": id_, **row} for id_, (row, _) in attachments.items()]
            return Answer({"value": rows})
        for id_, (_, content) in attachments.items():
            if ask.path == f"{PATH}/attachments/{id_}/$value":
                return Answer(data=content)
        return Answer(message("m1", singleValueExtendedProperties=tags, **changes))

    return Cloud(script)


def rebuilt(opened: Cloud, source: Open) -> tuple[Native, EmailMessage]:
    (result,) = source(opened).fetch(INBOX, [Ref("m1", "")])
    assert isinstance(result, Native), result
    assert result.properties["Rebuilt"] is True
    assert result.body is not None
    with result.body() as stream, result.body() as again:
        raw = stream.read()
        assert raw == again.read()
    return result, cast(EmailMessage, email.message_from_bytes(raw, policy=default))


FILE = {
    "@odata.type": "#microsoft.graph.fileAttachment",
    "contentType": "application/pdf",
    "name": "Über.pdf",
}
INLINE = {**FILE, "contentType": "image/png", "name": "x.png", "isInline": True, "contentId": "c1"}
ITEM = {"@odata.type": "#microsoft.graph.itemAttachment", "name": "inside"}
LINK = {"@odata.type": "#microsoft.graph.referenceAttachment", "name": "cloud.docx"}
ANNA = {"emailAddress": {"name": "Änne", "address": "anna@example.org"}}
UNKNOWN = {"emailAddress": {"name": "Intern", "address": "/O=X/CN=Y"}}


def test_a_mail_is_rebuilt_from_its_properties_and_attachments(source: Open) -> None:
    inner = b"Subject: inside\r\n\r\nbody\r\n"
    parts = {"A1": (FILE, bytes(range(256)) * 900), "A2": (ITEM, inner), "A3": (INLINE, b"png")}
    opened = cloud(
        "REPORT.IPM.Note.NDR",
        parts,
        subject="Grüße & mehr",
        body={"contentType": "html", "content": "<p>Hallo</p>"},
        sentDateTime="2024-02-03T04:05:06Z",
        internetMessageId="<id@example.org>",
        toRecipients=[ANNA, UNKNOWN],
        internetMessageHeaders=[{"name": "References", "value": "<1@x> <2@x>"}],
        **{"from": ANNA},
    )
    result, found = rebuilt(opened, source)
    assert found["Subject"] == "Grüße & mehr"
    assert found["Message-ID"] == "<id@example.org>"
    assert found["References"].split() == ["<1@x>", "<2@x>"]
    assert found["From"].addresses[0].addr_spec == "anna@example.org"
    assert [one.display_name for one in found["To"].groups] == [None, "Intern"]
    text, pdf, message_, image = found.iter_parts()
    assert text.get_content().strip() == "<p>Hallo</p>"
    assert (pdf.get_filename(), pdf.get_content()) == ("Über.pdf", bytes(range(256)) * 900)
    assert message_.get_content_type() == "message/rfc822"
    assert (image["Content-ID"], image.get_content_disposition()) == ("<c1>", "inline")
    assert result.properties["ItemClass"] == "REPORT.IPM.Note.NDR"
    assert opened.paths().count(f"{PATH}/$value") == 1


def test_a_clear_signed_mail_keeps_what_was_signed(source: Open) -> None:
    opened = cloud("IPM.Note.SMIME.MultipartSigned", {"A1": (FILE, SIGNED)}, subject="s")
    result, found = rebuilt(opened, source)
    assert result.body is not None
    with result.body() as stream:
        assert stream.read().endswith(SIGNED), "not a byte of it is touched"
    assert found.get_content_type() == "multipart/signed"
    assert found["Subject"] == "s"


def test_an_encrypted_mail_is_its_one_part(source: Open) -> None:
    opened = cloud("IPM.Note.SMIME", {"A1": ({**FILE, "name": "smime.p7m"}, SEALED)}, subject="s")
    _, found = rebuilt(opened, source)
    assert found.get_content_type() == "application/pkcs7-mime"
    assert found.get_content() == SEALED


@pytest.mark.parametrize(
    "parts", [{}, {"A1": (FILE, b"neither")}, {"A1": (FILE, SEALED), "A2": (FILE, SEALED)}]
)
def test_s_mime_that_is_not_as_it_should_be_is_a_mail_with_attachments(
    source: Open, parts: dict[str, tuple[dict[str, object], bytes]]
) -> None:
    _, found = rebuilt(cloud("IPM.Note.SMIME", parts), source)
    assert len(list(found.iter_attachments())) == len(parts)


def test_a_link_in_place_of_an_attachment_cannot_be_rebuilt(source: Open) -> None:
    (result,) = source(cloud("IPM.Note", {"A1": (LINK, b"")})).fetch(INBOX, [Ref("m1", "")])
    assert isinstance(result, Failed)
    assert result.error.code == "mime-conversion-failed"


def test_what_the_practice_server_never_converts_arrives_all_the_same(
    source: Open, practice: GraphServer
) -> None:
    mailbox = practice.world.mailbox(practice.world.addresses()[0])
    opened = source(practice, Account(login=mailbox.address))
    never = {
        item.immutable_id for folder in mailbox.folders() for item in folder.items if never_converted(item)
    }
    results = [
        result
        for container in opened.containers()
        if container.omit is None
        for page in opened.changes(container, None)
        for result in opened.fetch(container, page.refs)
    ]
    found = [one for one in results if isinstance(one, Native) and one.properties["Rebuilt"] is True]
    assert len(found) == len(never) > 0
    for one in found:
        assert one.body is not None
        with one.body() as stream:
            assert canonical(stream).size > 0
