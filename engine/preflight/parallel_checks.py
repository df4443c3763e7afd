"""Check many mailboxes, several at once."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from typing import TypeVar

from engine.planning.mailbox_list import Person

Found = TypeVar("Found")


def map_mailboxes(
    people: Sequence[Person], at_once: int, look: Callable[[Person], Found], progress: Callable[[], None]
) -> list[Found]:
    """Return what `look` finds about each person, in the order given.

    The first error is raised at once: mailboxes that were not begun are not checked any more, and those under
    way are not waited for.

    Args:
        people: the mailboxes.
        at_once: how many are checked at once.
        look: checks one mailbox.
        progress: called after each, in this thread.
    """
    pool = ThreadPoolExecutor(max_workers=at_once, thread_name_prefix="look")
    try:
        jobs = [pool.submit(look, person) for person in people]
        for job in as_completed(jobs):
            job.result()
            progress()
    finally:
        pool.shutdown(wait=False, cancel_futures=True)
    return [job.result() for job in jobs]
