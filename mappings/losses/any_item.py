"""List what an item of any kind may lose if a person accepts a difference that no pass can mend."""

from __future__ import annotations

from collections.abc import Mapping

LOSSES: Mapping[tuple[str, str], str] = {
    (
        "copy",
        "changed-before-check",
    ): "It came late into a live mailbox, and was gone or otherwise before it was read back. "
    "A person accepted that.",
    (
        "copy",
        "differs-at-source",
    ): "The source renders the mail otherwise than when it was copied. A person accepted that.",
    (
        "copy",
        "kept-otherwise",
    ): "The target has it otherwise than it was written, though it was written anew "
    "several times. A person accepted that.",
    (
        "copy",
        "unstable-at-source",
    ): "The source gives it otherwise each time that it is read; the copy is as the "
    "source once gave it. A person accepted that.",
}

SKIPS: Mapping[str, str] = {}

REJECTIONS: Mapping[str, str] = {}
