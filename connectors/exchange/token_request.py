"""Send a form to a token endpoint, over the connections of a source."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from connectors.exchange.app_tokens import Post
from connectors.http.content_coding import OFFERED
from connectors.http.transport import Transport
from model.errors import Transient

ANSWER_MOST = 1_000_000  # bytes


@dataclass(frozen=True, slots=True)
class FormAnswer:
    """Hold what a token endpoint answered. It shows nothing of it."""

    status_code: int
    content: bytes = field(repr=False)
    headers: Mapping[str, str] = field(repr=False)


def form_sender(transport: Transport, user_agent: str) -> Post:
    """Return a function that sends a form and returns the whole answer whatever its status.

    Args:
        transport: the connections; no credentials of the source are sent.
        user_agent: the User-Agent.
    """

    def post(url: str, headers: Mapping[str, str], content: bytes) -> FormAnswer:
        sent = {"User-Agent": user_agent, "Accept-Encoding": OFFERED, **headers}
        with transport.send_to("POST", url, sent, content) as response:
            endless = Transient("token-unreadable", "the token endpoint's answer has no end")
            body = response.read(ANSWER_MOST, endless, decode=True)
            return FormAnswer(response.status, body, response.headers)

    return post
