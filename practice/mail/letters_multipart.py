"""Make letters of several parts: alternatives, attachments, inline images, forwarded mail."""

from __future__ import annotations

import binascii
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import replace

from practice.harness.dice import Dice
from practice.mail.letters import Attachment, Chunks, Letter, Recipe, Scene
from practice.mail.letters_plain import Headers, head, outline, plain, written
from practice.mail.letters_text import base64_lines, boundary, text

_LINE = 57


def part(headers: Iterable[tuple[str, str]], body: bytes) -> bytes:
    """Return a part with these headers."""
    return b"".join(f"{name}: {value}\r\n".encode() for name, value in headers) + b"\r\n" + body


def multipart(
    kind: str, mark: str, parts: Iterable[bytes], *params: str, preamble: bytes = b""
) -> tuple[Headers, bytes]:
    """Return the content header and body of multipart/kind."""
    value = "; ".join([f"multipart/{kind}", *params, f'boundary="{mark}"'])
    body = preamble + b"".join(b"\r\n--%s\r\n%s" % (mark.encode(), one) for one in parts)
    return (("Content-Type", value),), body.removeprefix(b"\r\n") + b"\r\n--%s--\r\n" % mark.encode()


def text_part(body: bytes, subtype: str = "plain") -> bytes:
    """Return a text as a quoted-printable part."""
    headers = (
        ("Content-Type", f'text/{subtype}; charset="utf-8"'),
        ("Content-Transfer-Encoding", "quoted-printable"),
    )
    return part(headers, binascii.b2a_qp(body, istext=True))


def attached(one: Attachment) -> bytes:
    """Return an attachment as a part; a long name that is not ASCII is split (RFC 2231)."""
    headers = [("Content-Type", one.content_type), ("Content-Disposition", _disposition(one))]
    if one.content_id:
        headers.append(("Content-ID", f"<{one.content_id}>"))
    if one.content_type == "message/rfc822":
        return part(headers, one.content)
    return part([*headers, ("Content-Transfer-Encoding", "base64")], base64_lines(one.content))


def _disposition(one: Attachment) -> str:
    kind = "inline" if one.inline else "attachment"
    if one.name.isascii():
        return f'{kind}; filename="{one.name}"'
    quoted = "".join(f"%{byte:02X}" if byte > 126 or byte < 48 else chr(byte) for byte in one.name.encode())
    if len(quoted) < 60:
        return f"{kind}; filename*=utf-8''{quoted}"
    pieces = [quoted[at : at + 48] for at in range(0, len(quoted), 48)]
    named = [
        f"filename*{n}*={'utf-8' + chr(39) * 2 if n == 0 else ''}{piece}" for n, piece in enumerate(pieces)
    ]
    return ";\r\n\t".join([kind, *named])


def html_of(lines: str) -> bytes:
    """Return an HTML page of these lines."""
    body = "".join(f"<p>{line}</p>\r\n" for line in lines.splitlines())
    return f"<html><head><meta charset=utf-8></head><body>\r\n{body}</body></html>\r\n".encode()


def png(dice: Dice) -> bytes:
    """Return a valid picture of one pixel."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return len(data).to_bytes(4, "big") + kind + data + zlib.crc32(kind + data).to_bytes(4, "big")

    size = (1).to_bytes(4, "big")
    # Stored, not deflated: compressed bytes may differ between builds of zlib.
    pixel = b"\0" + dice.bytes(3)
    stored = b"\x78\x01\x01\x04\x00\xfb\xff" + pixel + zlib.adler32(pixel).to_bytes(4, "big")
    header = chunk(b"IHDR", size + size + b"\x08\x02\0\0\0")
    return b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", stored) + chunk(b"IEND", b"")


def pdf(dice: Dice, size: int) -> bytes:
    """Return a PDF on the outside, with noise inside."""
    return b"%PDF-1.4\n" + dice.bytes(min(size, 20_000)) + b"\n%%EOF\n"


def alternative(scene: Scene) -> Letter:
    """Return multipart/alternative: text and HTML."""
    letter, _ = outline(scene)
    words = text(scene.owner.locale, scene.dice("body"), scene.size // 2)

    def content(variant: int) -> tuple[Headers, bytes]:
        parts = text_part(words.encode()), text_part(html_of(words), "html")
        return multipart("alternative", boundary(scene.dice("alternative"), variant), parts)

    return replace(written(letter, content), words=lambda: words)


def html(scene: Scene) -> Letter:
    """Return text/html alone, ISO-8859-1, quoted-printable."""
    letter, _ = outline(scene)
    words = text(scene.owner.locale, scene.dice("body"), scene.size).replace("œ", "oe").replace("€", "EUR")
    page = html_of(words).replace(b"charset=utf-8", b"charset=iso-8859-1").decode()
    headers: Headers = (
        ("Content-Type", 'text/html; charset="iso-8859-1"'),
        ("Content-Transfer-Encoding", "quoted-printable"),
    )
    body = binascii.b2a_qp(page.encode("iso-8859-1", "replace"))
    return replace(written(letter, lambda _: (headers, body)), words=lambda: words)


def flowed(scene: Scene) -> Letter:
    """Return format=flowed with soft line ends and a signature separator (RFC 3676)."""
    letter, _ = outline(scene)
    words = text(scene.owner.locale, scene.dice("body"), scene.size)
    body = words.replace(", ", ", \r\n").encode() + b"> zitiert \r\n> und weiter\r\n\r\n-- \r\nKogge\r\n"
    headers: Headers = (
        ("Content-Type", 'text/plain; charset="utf-8"; format=flowed; delsp=no'),
        ("Content-Transfer-Encoding", "8bit"),
    )
    return replace(written(letter, lambda _: (headers, body)), words=body.decode)


def mixed(scene: Scene, letter: Letter, attachments: tuple[Attachment, ...], kind: str = "mixed") -> Letter:
    """Text and HTML, and the attachments."""
    words = text(scene.owner.locale, scene.dice("body"), max(scene.size // 3, 200))

    def content(variant: int) -> tuple[Headers, bytes]:
        inner = text_part(words.encode()), text_part(html_of(words), "html")
        mark = boundary(scene.dice("inner"), variant)
        first = part(*multipart("alternative", mark, inner))
        parts = [first, *(attached(one) for one in attachments)]
        return multipart(kind, boundary(scene.dice("outer"), variant), parts)

    size = letter.size + sum(len(one.content) for one in attachments)
    made = replace(letter, has_attachments=True, attachments=lambda: attachments, size=size)
    return replace(written(made, content), words=lambda: words)


def attachment(scene: Scene) -> Letter:
    """Return a mail with two attachments, one of them with an umlaut in its name."""
    letter, dice = outline(scene)
    files = (
        Attachment("Übersicht Größe.pdf", "application/pdf", pdf(dice, scene.size)),
        Attachment("table.csv", 'text/csv; charset="utf-8"', "Straße;Höhe\r\nWeg;1,5\r\n".encode()),
    )
    return mixed(scene, letter, files)


def long_names(scene: Scene) -> Letter:
    """RFC 2047 subject over several words, RFC 2231 file name in several pieces."""
    letter, dice = outline(scene)
    name = "Sitzungsunterlagen für die Größenordnung der Straßenbauförderung im Kreis Nordfriesland.docx"
    kind = "application/vnd.openxmlformats-officedocument.wordprocessingml.document"
    subject = "Änderungen der Förderrichtlinien: Grüße aus der Straßenbaubehörde 📎"
    letter = replace(letter, subject=f"{subject} / {subject}")
    return mixed(scene, letter, (Attachment(name, kind, dice.bytes(3000)),))


def inline_image(scene: Scene) -> Letter:
    """Return multipart/related: a picture that the HTML shows by its Content-ID."""
    letter, dice = outline(scene)
    cid = f"image001.png@{dice.hex(8).upper()}.{dice.hex(8).upper()}"
    picture = Attachment("image001.png", 'image/png; name="image001.png"', png(dice), cid, inline=True)
    made = mixed(scene, letter, (picture,), "related")
    return replace(made, has_attachments=False)


def forwarded(scene: Scene) -> Letter:
    """Return a mail within a mail, as message/rfc822."""
    letter, _ = outline(scene)
    inner = plain(replace(scene, key=f"{scene.key}/inner", size=700))
    name = "".join(char for char in inner.subject if char.isascii() and char.isalnum()) + ".eml"
    one = Attachment(name, "message/rfc822", inner.mime(), item_class="IPM.Note")
    return mixed(scene, letter, (one,))


def large(scene: Scene) -> Letter:
    """Return a mail with one attachment of scene.size bytes, of which one block at a time is in memory."""
    letter, _ = outline(scene)
    # 57 bytes make a line of 78 with its CRLF.
    lines = max(scene.size // 78, 1)
    pattern = scene.dice("pattern").bytes(_LINE * 64)

    def write(variant: int) -> Chunks:
        mark = boundary(scene.dice("large"), variant)
        yield head(letter, variant, ("Content-Type", f'multipart/mixed; boundary="{mark}"'))
        yield b"\r\n--%s\r\n" % mark.encode() + text_part(b"Siehe Anhang.\r\n")
        yield b"\r\n--%s\r\n" % mark.encode()
        yield part(
            (
                ("Content-Type", "application/zip"),
                ("Content-Disposition", 'attachment; filename="scan.zip"'),
                ("Content-Transfer-Encoding", "base64"),
            ),
            b"",
        )
        yield from _lines(pattern, lines)
        yield b"\r\n--%s--\r\n" % mark.encode()

    def files() -> tuple[Attachment, ...]:
        repeated = pattern * (lines // 64 + 1)
        return (Attachment("scan.zip", "application/zip", repeated[: lines * _LINE]),)

    return replace(letter, write=write, size=lines * 78 + 1500, has_attachments=True, attachments=files)


def _lines(pattern: bytes, lines: int) -> Iterator[bytes]:
    """Base64 lines of the repeated pattern, about 64 KB at a time."""
    some = base64_lines(pattern)
    block = some * 13
    per_block = len(block) // 78
    for _ in range(lines // per_block):
        yield block
    rest = lines % per_block
    yield block[: rest * 78]


RECIPES: dict[str, Recipe] = {
    recipe.__name__: recipe
    for recipe in (alternative, html, flowed, attachment, long_names, inline_image, forwarded, large)
}
