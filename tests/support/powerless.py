"""Root without root's right to read and write everything: tests of permissions run in CI, which is root."""

from __future__ import annotations

import contextlib
import ctypes
import os
from collections.abc import Iterator

VERSION_3 = 0x20080522
DAC_OVERRIDE, DAC_READ_SEARCH = 1, 2
"""Numbers of capabilities (capabilities(7)): to pass by the mode of a file, and that of a directory."""


class _Header(ctypes.Structure):
    _fields_ = (("version", ctypes.c_uint32), ("pid", ctypes.c_int))


class _Sets(ctypes.Structure):
    _fields_ = (
        ("effective", ctypes.c_uint32),
        ("permitted", ctypes.c_uint32),
        ("inheritable", ctypes.c_uint32),
    )


@contextlib.contextmanager
def powerless() -> Iterator[None]:
    """Within it, this thread may do with files what their modes allow to their owner. Anybody but root is so
    already."""
    if os.geteuid() != 0:
        yield
        return
    libc = ctypes.CDLL(None, use_errno=True)
    header, before = _Header(VERSION_3, 0), (_Sets * 2)()
    _checked(libc.capget(ctypes.byref(header), before))
    fewer = (_Sets * 2).from_buffer_copy(before)
    fewer[0].effective &= ~(1 << DAC_OVERRIDE | 1 << DAC_READ_SEARCH)
    _checked(libc.capset(ctypes.byref(header), fewer))
    try:
        yield
    finally:
        _checked(libc.capset(ctypes.byref(header), before))


def _checked(result: int) -> None:
    if result != 0:
        raise OSError(ctypes.get_errno(), "the capabilities of this thread cannot be changed")
