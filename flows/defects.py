"""What a log may say about a defect of our own."""

from __future__ import annotations

import traceback
from pathlib import Path

FRAMES = 10


def described(error: BaseException) -> str:
    """The error's class and where it happened, innermost first. Never its text: that may quote a person's
    data, or a server that does."""
    stack = traceback.extract_tb(error.__traceback__)[-FRAMES:]
    frames = [f"{Path(frame.filename).name}:{frame.lineno} {frame.name}" for frame in reversed(stack)]
    return f"{type(error).__name__} at {' < '.join(frames)}"
