"""Write rules beside the blocks of Nextcloud Mail, which keeps as it is what stands outside of them.

Its own filters know three tests, and their truth is a line of JSON: rules stay rules in Sieve, below its
blocks. When it writes the script, it puts `require` and its blocks around everything else, which stays.

Source:
    nextcloud/mail, FilterParser.php and FilterBuilder.php of lib/Service/MailFilter, OutOfOfficeParser.php
    of lib/Service/OutOfOffice (read in source)
"""

from __future__ import annotations

import re

from connectors.sieve.dialects.dialect import Dialect
from connectors.sieve.dialects.plain import lines

_MARKER = re.compile(r"^(### Nextcloud Mail: [^#\r\n]+ ###) DON'T EDIT ###", re.MULTILINE)


def first(text: str) -> int:
    """Return 1, where each block of Nextcloud is closed.

    Raises:
        ValueError: one is open: what is appended would be a part of it, and be removed.
    """
    markers = _MARKER.findall(text)
    if any(markers.count(marker) % 2 for marker in set(markers)):
        raise ValueError("a block of Nextcloud is open")
    return 1


NEXTCLOUD_MAIL = Dialect(script="nextcloud", fixed=False, lines=lines, first=first)
