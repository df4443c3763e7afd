"""Make S/MIME and PGP mail: plausible blobs, not valid signatures.

What was signed is the same in every variant, as a server that rebuilt it would break the signature.
"""

from __future__ import annotations

from dataclasses import replace

from practice.harness.dice import Dice
from practice.mail.letters import Attachment, Letter, Recipe, Scene
from practice.mail.letters_multipart import multipart, part, text_part
from practice.mail.letters_plain import Headers, outline, written
from practice.mail.letters_text import base64_lines, text

# 1.2.840.113549.1.7.2 signedData and 1.7.3 envelopedData, DER
_SIGNED = bytes.fromhex("06092a864886f70d010702")
_ENVELOPED = bytes.fromhex("06092a864886f70d010703")


def cms(kind: bytes, dice: Dice, size: int) -> bytes:
    """Return a DER ContentInfo of this type around noise: well-formed on the outside only."""
    content = b"\x30" + _length(size) + dice.bytes(size)
    explicit = b"\xa0" + _length(len(content)) + content
    return b"\x30" + _length(len(kind) + len(explicit)) + kind + explicit


def _length(count: int) -> bytes:
    return b"\x82" + count.to_bytes(2, "big")


def smime_signed(scene: Scene) -> Letter:
    """Return multipart/signed with a detached signature: IPM.Note.SMIME.MultipartSigned."""
    letter, _ = outline(scene)
    words = text(scene.owner.locale, scene.dice("body"), scene.size)
    blob = cms(_SIGNED, scene.dice("signature"), 2400)
    signature = part(
        (
            ("Content-Type", 'application/pkcs7-signature; name="smime.p7s"'),
            ("Content-Disposition", 'attachment; filename="smime.p7s"'),
            ("Content-Transfer-Encoding", "base64"),
        ),
        base64_lines(blob),
    )
    mark = f"----{scene.dice('boundary').hex(32).upper()}"
    params = ('protocol="application/pkcs7-signature"', "micalg=SHA256")
    content = multipart("signed", mark, (text_part(words.encode()), signature), *params)
    whole = Attachment("smime.p7m", "multipart/signed", content[1])
    return replace(
        written(letter, lambda _: content),
        item_class="IPM.Note.SMIME.MultipartSigned",
        words=lambda: words,
        has_attachments=True,
        attachments=lambda: (whole,),
    )


def smime_encrypted(scene: Scene) -> Letter:
    """Return application/pkcs7-mime, enveloped-data: IPM.Note.SMIME."""
    return _opaque(scene, _ENVELOPED, "enveloped-data")


def smime_opaque_signed(scene: Scene) -> Letter:
    """Return application/pkcs7-mime, signed-data: the text is inside of the blob."""
    return _opaque(scene, _SIGNED, "signed-data")


def _opaque(scene: Scene, kind: bytes, name: str) -> Letter:
    letter, _ = outline(scene)
    blob = cms(kind, scene.dice("blob"), min(scene.size + 1000, 60_000))
    headers: Headers = (
        ("Content-Type", f'application/pkcs7-mime; smime-type={name}; name="smime.p7m"'),
        ("Content-Disposition", 'attachment; filename="smime.p7m"'),
        ("Content-Transfer-Encoding", "base64"),
    )
    whole = Attachment("smime.p7m", "application/pkcs7-mime", blob)
    return replace(
        written(letter, lambda _: (headers, base64_lines(blob))),
        item_class="IPM.Note.SMIME",
        has_attachments=True,
        attachments=lambda: (whole,),
    )


def pgp_encrypted(scene: Scene) -> Letter:
    """Return multipart/encrypted (RFC 3156)."""
    letter, _ = outline(scene)
    noise = base64_lines(scene.dice("pgp").bytes(1500))
    armour = b"-----BEGIN PGP MESSAGE-----\r\n\r\n" + noise + b"-----END PGP MESSAGE-----\r\n"
    parts = (
        part((("Content-Type", "application/pgp-encrypted"),), b"Version: 1\r\n"),
        part((("Content-Type", 'application/octet-stream; name="encrypted.asc"'),), armour),
    )
    mark = scene.dice("boundary").hex(24)
    content = multipart("encrypted", mark, parts, 'protocol="application/pgp-encrypted"')
    return replace(written(letter, lambda _: content), has_attachments=True)


RECIPES: dict[str, Recipe] = {
    recipe.__name__: recipe for recipe in (smime_signed, smime_encrypted, smime_opaque_signed, pgp_encrypted)
}
