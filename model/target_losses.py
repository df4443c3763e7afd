"""Name what a target may lose of an item that it otherwise takes (Stored.losses). No mapping emits these."""

from __future__ import annotations

from typing import Final

from model.protocols import Loss

KEYWORDS_NOT_TAKEN: Final = Loss("keywords", "limit-reached")
"""The loss of an item whose container has as many different keywords at the target as the target keeps.

Stored.flags says which flags the target took.
"""
ATTACHMENT_REFUSED: Final = Loss("attachment", "refused-by-target")
"""The loss of an event of which the target did not take, or did not keep, an attachment."""
