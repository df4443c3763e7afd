"""A source and a target in memory that fail like real ones: for crash, fault and state-machine tests.

Every network-like call and every item of a write calls `step(name)` before AND after it takes effect.
A step that raises before means: it never happened. One that raises after means: it happened, and the
reply was lost. State lives in MemoryMailbox and in MemoryStore (mail), MemoryShelf (objects) or
MemoryCabinet (files), and survives both.
"""

from __future__ import annotations

from memory.cabinet import MemoryCabinet
from memory.dav import MemoryDav
from memory.files import MemoryFiles
from memory.line import Step, no_step
from memory.mailbox import Marks, MemoryMailbox
from memory.shelf import MemoryShelf
from memory.source import MemorySource
from memory.store import MemoryStore
from memory.target import MemoryTarget

__all__ = [
    "Marks",
    "MemoryCabinet",
    "MemoryDav",
    "MemoryFiles",
    "MemoryMailbox",
    "MemoryShelf",
    "MemorySource",
    "MemoryStore",
    "MemoryTarget",
    "Step",
    "no_step",
]
