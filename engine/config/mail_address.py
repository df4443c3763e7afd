"""Tell an e-mail address from other texts."""

from __future__ import annotations

_IN_NO_ADDRESS = frozenset(' ,;:<>"()[]{}`|\\$*')


def is_address(text: str) -> bool:
    """Return True if a text looks like user@domain: enough to notice a wrong column, not RFC 5321.

    A text that a program may take for an option, or a shell for a command, is no address.
    """
    local, separator, domain = text.rpartition("@")
    if not separator or not local or not domain or len(text) > 320:
        return False
    return (
        "@" not in local
        and text.isprintable()  # of all blanks only the ASCII one is printable
        and is_argument(text)
        and not domain.startswith(".")
        and not domain.endswith(".")
        and ".." not in domain
    )


def is_argument(text: str) -> bool:
    """Return True if no program takes a text for an option, and no shell or template reads anything in it."""
    return _IN_NO_ADDRESS.isdisjoint(text) and not text.startswith("-")
