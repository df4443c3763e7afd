"""What the tests of every connector may use."""

from __future__ import annotations

import resource
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager

import pytest

FILE_BYTES = 2_000_000


@pytest.fixture
def full_disk() -> AbstractContextManager[None]:
    """Within it no file of this process grows beyond FILE_BYTES: what writes further is told so (EFBIG)."""

    @contextmanager
    def limited() -> Iterator[None]:
        soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (FILE_BYTES, hard))
        try:
            yield
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))

    return limited()
