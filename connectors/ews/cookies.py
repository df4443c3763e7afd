"""Keep the cookies by which Exchange, or what stands before it, finds the same back end again."""

from __future__ import annotations

from collections.abc import Sequence
from email.message import Message
from http.client import HTTPResponse
from http.cookiejar import CookieJar
from typing import cast
from urllib.request import Request

MOST = 50
"""The most cookies that are kept; a server that sets more begins anew."""


class Cookies:
    """Hold the cookies of the one URL that is asked. Safe from several threads.

    Source:
        RFC 6265.
    """

    def __init__(self, url: str) -> None:
        self._url = url
        self._jar = CookieJar()
        self._some = False  # most servers set none, and then nothing is done

    def take(self, stated: Sequence[str]) -> None:
        """Keep what an answer states; what does not belong to the URL is left out.

        Args:
            stated: the values of its headers Set-Cookie.
        """
        if not stated:
            return
        headers = Message()
        for one in stated:
            headers["Set-Cookie"] = one
        self._jar.extract_cookies(cast(HTTPResponse, _Answer(headers)), self._request())
        if len(self._jar) > MOST:
            self._jar.clear()
        self._some = True

    def header(self) -> dict[str, str]:
        """Return the header Cookie of the next request; nothing where no cookie is kept."""
        if not self._some:
            return {}
        request = self._request()
        self._jar.add_cookie_header(request)
        return {name: value for name, value in request.unredirected_hdrs.items() if name == "Cookie"}

    def _request(self) -> Request:
        return Request(self._url)  # noqa: S310 (nothing is opened; the jar asks it for host and path)


class _Answer:
    """Be as much of an answer as a jar looks at."""

    def __init__(self, headers: Message) -> None:
        self._headers = headers

    def info(self) -> Message:
        return self._headers
