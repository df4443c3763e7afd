"""The environment of programs that Kogge starts and that are to know no secret of ours."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping

PLAIN = frozenset(
    {
        "HOME",
        "LANG",
        "LANGUAGE",
        "LD_LIBRARY_PATH",
        "LOGNAME",
        "PATH",
        "SHELL",
        "SSL_CERT_DIR",
        "SSL_CERT_FILE",
        "TMPDIR",
        "TZ",
        "USER",
        "VIRTUAL_ENV",
    }
)
"""Where programs and files are, and how this machine speaks. A secret may have any other name."""
PLAIN_BEGINNINGS = ("LC_", "PYTHON")
SAFE_PATH = {"PYTHONSAFEPATH": "1"}
"""No folder `flows` of the directory where a program starts is taken for ours."""


def plain(named: Iterable[str] = (), environment: Mapping[str, str] = os.environ) -> dict[str, str]:
    """What of this process's environment is no secret, and the variables of these names."""
    wanted = PLAIN | {*named}
    return {
        name: value
        for name, value in environment.items()
        if name in wanted or name.startswith(PLAIN_BEGINNINGS)
    }
