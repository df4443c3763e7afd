"""What products do to a client, as layers for practice.dav.proxy and servers.dav.scheduling. Any of them may
stand alone; manners() has what each product does together.

with start_scheduling(radicale, "nextcloud", sink, around=manners("nextcloud", radicale)) as server: ...
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime

from practice.dav.proxy import Forward, Layer, Reply, Request
from practice.dav.radicale import RadicaleServer
from servers.dav.dav_proxy import puts_event
from servers.dav.nextcloud import (
    Fullness,
    Trash,
    adds_what_is_missing,
    one_uid,
    refuses_media,
    shows_itself,
)
from servers.dav.scheduling import now

Clock = Callable[[], datetime]


def _nextcloud(radicale: RadicaleServer, clock: Clock) -> tuple[Layer, ...]:
    return (shows_itself, refuses_media, Fullness(radicale, clock), Trash(), one_uid, adds_what_is_missing)


def names_cyrus(request: Request, rest: Forward) -> Reply:
    """Cyrus 3.10 names itself in its answer to OPTIONS alone."""
    answer = rest(request)
    if request.method != "OPTIONS":
        return answer
    headers = answer.headers.copy()
    headers["Server"] = "Cyrus-HTTP/3.10.1 Cyrus-SASL/2.1.28"
    return replace(answer, headers=headers)


def splits_categories(request: Request, rest: Forward) -> Reply:
    """Cyrus 3.10: a comma in a category's name, escaped as it has to be, ends the name."""
    if not puts_event(request):
        return rest(request)
    lines = re.sub(rb"\r?\n[ \t]", b"", request.body).splitlines(keepends=True)
    split = [line.replace(b"\\,", b",") if line.startswith(b"CATEGORIES") else line for line in lines]
    return rest(replace(request, body=b"".join(split)))


def _cyrus(radicale: RadicaleServer, clock: Clock) -> tuple[Layer, ...]:
    del radicale, clock
    return (names_cyrus, splits_categories)


def _none(radicale: RadicaleServer, clock: Clock) -> tuple[Layer, ...]:
    del radicale, clock
    return ()


MANNERS: Mapping[str, Callable[[RadicaleServer, Clock], tuple[Layer, ...]]] = {
    "nextcloud": _nextcloud,
    "cyrus": _cyrus,
}


def manners(product: str, radicale: RadicaleServer, clock: Clock = now) -> tuple[Layer, ...]:
    """New layers, with a memory of their own; () for a product that has none. clock: what rates and reports
    go by."""
    return MANNERS.get(product, _none)(radicale, clock)
