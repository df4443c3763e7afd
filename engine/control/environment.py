"""Make the environment of programs that Kogge starts and that must not know its secrets; and its own."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, MutableMapping

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
"""Variables that say where programs and files are, and what language and zone this machine uses. A secret may
have any other name."""
PLAIN_BEGINNINGS = ("LC_", "PYTHON")
SAFE_PATH = {"PYTHONSAFEPATH": "1"}
"""Keeps a folder `flows` in the directory where a program starts from being taken for ours."""

PROXIES = frozenset({"http_proxy", "https_proxy", "all_proxy"})
THIS_MACHINE = ("127.0.0.1", "localhost", "::1")


def reach_this_machine_directly(environment: MutableMapping[str, str] = os.environ) -> None:
    """Except this machine from the proxies that the environment names.

    Prefect's API may run on this machine, and Prefect's client asks the proxy for every host.

    Args:
        environment: the environment of this process, which is changed.
    """
    if not any(environment.get(name) for name in [*environment] if name.lower() in PROXIES):
        return
    for name in [name for name in environment if name.lower() == "no_proxy"] or ["NO_PROXY"]:
        hosts = [host.strip() for host in environment.get(name, "").split(",") if host.strip()]
        if "*" not in hosts:  # which stands for every host, and only alone
            environment[name] = ",".join([*hosts, *(one for one in THIS_MACHINE if one not in hosts)])


def plain(variables: Iterable[str] = (), environment: Mapping[str, str] = os.environ) -> dict[str, str]:
    """Return the variables of this process's environment that are no secrets.

    Args:
        variables: names of further variables to return.
        environment: the environment of this process.
    """
    names = PLAIN | {*variables}
    return {
        name: value
        for name, value in environment.items()
        if name in names or name.startswith(PLAIN_BEGINNINGS)
    }
