"""Keep bodies that are too large for memory in files without a name.

No other process can open such a file, and it disappears with its last reader, however the process ends.
"""

from __future__ import annotations

import errno
import io
import os
import tempfile
import weakref
from pathlib import Path
from typing import BinaryIO

from model.errors import Blocked
from model.private_files import FULL, make_directory
from model.protocols import Body


class SpoolFile:
    """Hold an unlinked file, which is closed when the last body or stream that uses it is gone.

    Creating, writing and reading raise Blocked: "spool-full", "spool-unusable".
    """

    def __init__(self, folder: Path) -> None:
        try:
            make_directory(folder)
            self.fd = _unlinked(folder)
        except OSError as error:
            raise _fault(error) from None
        weakref.finalize(self, os.close, self.fd)

    def write(self, data: bytes) -> None:
        """Append bytes.

        Raises:
            Blocked: "spool-full", "spool-unusable".
        """
        view = memoryview(data)
        try:
            while view:
                view = view[os.write(self.fd, view) :]
        except OSError as error:
            raise _fault(error) from None

    def open(self) -> BinaryIO:
        """Return a new stream at byte 0."""
        return io.BufferedReader(_Window(self), 1 << 16)


class _Window(io.RawIOBase):
    """Read a SpoolFile from byte 0 with an offset of its own; keeps the file alive."""

    def __init__(self, file: SpoolFile) -> None:
        super().__init__()
        self._file = file
        self._at = 0

    def readable(self) -> bool:
        """Return True."""
        return True

    def seekable(self) -> bool:
        """Return True."""
        return True

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Move the offset; see io."""
        base = {os.SEEK_SET: 0, os.SEEK_CUR: self._at, os.SEEK_END: os.fstat(self._file.fd).st_size}
        self._at = max(0, base[whence] + offset)
        return self._at

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        """Read into a buffer; see io."""
        try:
            count = os.preadv(self._file.fd, [buffer], self._at)
        except OSError as error:
            raise _fault(error) from None
        self._at += count
        return count


def bytes_body(data: bytes) -> Body:
    """Return a body that memory holds."""
    return lambda: io.BytesIO(data)


def _unlinked(folder: Path) -> int:
    flag = getattr(os, "O_TMPFILE", 0)
    if flag:
        try:
            return os.open(folder, os.O_RDWR | os.O_CLOEXEC | flag, 0o600)
        except OSError as error:
            # Overlay and some network file systems have no O_TMPFILE.
            if error.errno not in {errno.EOPNOTSUPP, errno.EISDIR, errno.EINVAL}:
                raise
    fd, name = tempfile.mkstemp(dir=folder)
    Path(name).unlink()
    return fd


def _fault(error: OSError) -> Blocked:
    """Return the error for a full or broken spool directory.

    It is Blocked, because a person must make room or repair the directory: waiting does not help, and while
    nothing can be spooled a retry reads the same bytes from the source again and again.
    """
    if error.errno in FULL:
        return Blocked("spool-full", "make room in the spool directory")
    return Blocked("spool-unusable", f"the spool directory cannot be used ({type(error).__name__})")
