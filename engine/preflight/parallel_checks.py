"""Looks at many mailboxes, several at once."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from typing import TypeVar

from engine.planning.mailbox_list import Person

Found = TypeVar("Found")


def map_mailboxes(
    people: Sequence[Person], at_once: int, look: Callable[[Person], Found], seen: Callable[[], None]
) -> list[Found]:
    """What look finds about every person, in the order given; seen is called after each, in this thread. The
    first error is raised at once: who was not begun is not looked at any more, and who was is not waited for.
    """
    pool = ThreadPoolExecutor(max_workers=at_once, thread_name_prefix="look")
    try:
        jobs = [pool.submit(look, person) for person in people]
        for job in as_completed(jobs):
            job.result()
            seen()
    finally:
        pool.shutdown(wait=False, cancel_futures=True)
    return [job.result() for job in jobs]
