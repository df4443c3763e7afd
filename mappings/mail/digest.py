"""Define what two copies of a message must share to be the same: two digests, and what each ignores.

**canonical** is what a strict IMAP server makes of the bytes; measured on Dovecot 2.4. It ignores:

- *bare LF*: the server stores CRLF;
- *NUL*: the server stores 0x80 (RFC 9051 forbids NUL in a literal);
- *CRs before a CRLF, and at the very end*: the server drops one of them at every pass.

Everything else, a bare CR elsewhere included, is kept to the byte.

**tolerant** is equal for two renderings of one message: Exchange keeps properties, not bytes, and builds the
MIME anew whenever it is read. On top of canonical it ignores:

- *multipart boundaries*: chosen at random for every rendering;
- *order of header fields*: no reader gives it a meaning; all fields and values still count;
- *case of header field names*: RFC 5322 section 1.2.2, names have no case;
- *folding and white space inside a header field*: RFC 5322 section 2.2.3, folding is not content;
- *splitting, charset and encoding of encoded-words*: RFC 2047, only the decoded text is shown;
- *quoting, order and RFC 2231 splitting of Content-* parameters*: RFC 2045 section 5.1;
- *Content-Transfer-Encoding and with it the line length of base64 and quoted-printable*: the decoded content
  counts;
- *white space at the ends of lines and blank lines at the end, in text parts*: gateways and quoted-printable
  strip it, no reader shows it;
- *times of rendering in winmail.dat*: a server that builds the part anew writes them (mappings.mail.tnef);
- *fields that a server renders from what is carried as flags and keywords, or from its own handling*, of the
  message itself: Keywords, Importance and Priority, X-Message-Flag and Reply-By, requests for receipts, and
  X-MS-Exchange-Organization-… (mappings.mail.header.RENDERED_FIELDS). Who gives a mail a category gives it a
  keyword, and makes no other mail. Sensitivity counts, because nothing else carries it;
- *Date of a draft*: nobody sent it yet, and a server may state the moment of reading;
- *blank preambles and epilogues*: what precedes the first boundary is a line end or nothing;
- *the blank line after headers that no body follows*: RFC 5322 section 3.5 lets it be left out.

Inside multipart/signed the signed part counts to the byte, because a signature covers it. A message that this
parser does not understand (a header line without colon, a multipart without parts, oversized headers) has no
tolerant form: its canonical digest stands in. A body in damaged base64 or in an unknown encoding counts to
the byte.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from typing import BinaryIO

from mappings.mail.canonical import CanonicalReader, Digested, canonical
from mappings.mail.rendering import NotUnderstood, hash_entity

__all__ = ["CanonicalReader", "Digested", "canonical", "tolerant"]


def tolerant(stream: BinaryIO, *, unsent: bool = False) -> bytes:
    """Return the tolerant digest; a message that is not understood gives its canonical digest.

    It reads the stream to its end and holds a few chunks at a time.

    Args:
        stream: the message.
        unsent: True if it is a draft.
    """
    whole = hashlib.sha256()
    chunks = _watched(iter(CanonicalReader(stream)), whole)
    try:
        return hash_entity(chunks, unsent=unsent)
    except NotUnderstood:
        for _ in chunks:
            continue
        return whole.digest()


def _watched(chunks: Iterator[bytes], whole: hashlib._Hash) -> Iterator[bytes]:
    for chunk in chunks:
        whole.update(chunk)
        yield chunk
