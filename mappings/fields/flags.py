"""Map categories and keywords to what an IMAP server keeps.

A keyword is an IMAP atom. Dovecot 2.4 answers NO to `]`, `%`, `*`, backslash and 250 characters, and BAD to
`{`, `(`, `"` and 8-bit; it folds case to the form it saw first. So a keyword made here is lower case, of at
most 40 characters of [a-z0-9_.-], and the text it stands for goes to the label map.
"""

from __future__ import annotations

import hashlib
import re
import unicodedata

KEYWORD_LENGTH = 40
SEEN, FLAGGED, ANSWERED, DRAFT, DELETED = "\\Seen", "\\Flagged", "\\Answered", "\\Draft", "\\Deleted"
FORWARDED, MDN_SENT, IMPORTANT = "$Forwarded", "$MDNSent", "$Important"

SYSTEM = {flag.lower(): flag for flag in (SEEN, FLAGGED, ANSWERED, DRAFT, DELETED)}
RESERVED = frozenset({"junk", "nonjunk", "notjunk", "forwarded", "mdnsent", "redirected", "old", "recent"})
"""Keywords without a `$` to which clients give a meaning of their own: no category may become one."""

_DIGEST_CHARACTERS = 8
_SPELLED = str.maketrans({"ä": "ae", "ö": "oe", "ü": "ue", "ß": "ss", "æ": "ae", "ø": "oe", "ł": "l"})
_PLAIN = re.compile(r"[a-z0-9_.-]{1,40}")
_HASHED = re.compile(r".*-[0-9a-f]{8}")
_ATOM = re.compile(r"[!$&'+,./0-9:;<=>?@A-Z^_`a-z|~\[}-]{1,100}")


def keyword(text: str) -> str:
    """Return the keyword for a category. Deterministic; equal only for texts that are equal without case.

    Exchange compares category names without case. A hash marks every text that is not its own keyword. A text
    that looks as if it had a hash gets another, so that the two never meet.
    """
    name = folded(text)
    lower = text.lower()
    if name == lower and _PLAIN.fullmatch(lower) and not _HASHED.fullmatch(lower) and lower not in RESERVED:
        return lower
    mark = hashlib.blake2b(name.encode("utf-8", "surrogatepass"), digest_size=4).hexdigest()
    return f"{_slug(name)}-{mark}"


def folded(text: str) -> str:
    """Return a category's name as Exchange compares it: without case."""
    return unicodedata.normalize("NFC", text).casefold()


def _slug(folded: str) -> str:
    spelled = unicodedata.normalize("NFKD", folded.translate(_SPELLED))
    ascii_only = spelled.encode("ascii", "ignore").decode()
    slug = re.sub(r"[^a-z0-9_.-]+", "_", ascii_only.lower()).strip("_.-")
    return slug[: KEYWORD_LENGTH - _DIGEST_CHARACTERS - 1] or "label"


def system_flag(flag: str) -> str | None:
    """Return the flag in its usual spelling; None unless it is one of RFC 9051's settable system flags."""
    return SYSTEM.get(flag.lower())


def is_atom(text: str) -> bool:
    """Return True if every known server takes this keyword as it is."""
    return _ATOM.fullmatch(text) is not None
