"""Answer $batch: up to twenty requests in one, each with an answer of its own, in no order.

Graph sends four of them at a time to Outlook; so a batch alone keeps the limit of a mailbox, and a batch with
another request may not.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from practice.exchange.wire import Reply
from practice.graph.errors import GraphError, bad_request
from practice.graph.wire import Ask, Json, json_reply
from practice.harness.dice import digest

LARGEST = 20
AT_A_TIME = 4
_PASSED_ON = ("Retry-After", "Preference-Applied", "Location")


@dataclass(frozen=True, slots=True)
class Part:
    """Hold one request of a batch: its id, what it asks, and which others it waits for."""

    id: str
    ask: Ask
    after: tuple[str, ...]


def parts(ask: Ask) -> list[Part]:
    """Return the requests of a batch.

    Raises:
        GraphError: it is no batch, and nothing of it is done.
    """
    try:
        rows = json.loads(ask.body)["requests"]
        found = [_part(ask, row) for row in rows]
    except (ValueError, KeyError, TypeError, AttributeError):
        raise bad_request("Invalid batch payload format.") from None
    if len(found) > LARGEST:
        raise bad_request(
            f"Number of batch request steps exceeds the maximum value of {LARGEST}.",
            "MaximumValueExceeded",
        )
    ids = [part.id for part in found]
    if len(set(ids)) != len(ids) or any(one not in ids for part in found for one in part.after):
        raise bad_request("Request ids of a batch must be unique, and dependencies among them.")
    return found


def _part(ask: Ask, row: Mapping[str, object]) -> Part:
    given = row.get("headers", {})
    headers = {str(name).lower(): str(value) for name, value in dict(given).items()}  # type: ignore[call-overload]
    # The token is the batch's; so is nothing else.
    headers["authorization"] = ask.headers.get("authorization", "")
    body = json.dumps(row["body"]).encode() if "body" in row else b""
    inner = Ask.of(str(row["method"]), str(row["url"]), headers, body, ask.base)
    after = tuple(str(one) for one in row.get("dependsOn", ()))  # type: ignore[attr-defined]
    return Part(str(row["id"]), inner, after)


def answered(ask: Ask, answer: Callable[[list[Ask]], list[Reply]]) -> Reply:
    """Return the reply to a batch.

    Args:
        ask: the batch.
        answer: gives the replies to asks that are sent at the same time.

    Raises:
        GraphError: it is no batch.
    """
    todo = parts(ask)
    done: dict[str, Json] = {}
    while todo:
        ready = [part for part in todo if all(one in done for one in part.after)][:AT_A_TIME]
        if not ready:
            raise bad_request("The dependencies of a batch must not go in a circle.")
        todo = [part for part in todo if part not in ready]
        failed = [part for part in ready if any(_bad(done[one]) for one in part.after)]
        sent = [part for part in ready if part not in failed]
        for part in failed:
            error = GraphError(424, "FailedDependency", "A request this one depends on failed.")
            done[part.id] = {"id": part.id, "status": 424, "body": error.body()}
        for part, reply in zip(sent, answer([part.ask for part in sent]), strict=True):
            done[part.id] = _response(part.id, reply)
    rows = sorted(done.values(), key=lambda row: digest("batch", row["id"], len(done)))
    return json_reply({"responses": rows})


def _bad(response: Json) -> bool:
    return int(str(response["status"])) >= 400


def _response(id_: str, reply: Reply) -> Json:
    """JSON stands as JSON, anything else as base64 in a string."""
    data = b"".join(reply.pieces)
    headers = {"Content-Type": reply.content_type}
    headers |= {name: value for name, value in reply.headers.items() if name in _PASSED_ON}
    body: object = base64.b64encode(data).decode()
    if "json" in reply.content_type:
        try:
            body = json.loads(data)
        except ValueError:
            body = base64.b64encode(data).decode()
    return {"id": id_, "status": reply.status, "headers": headers, "body": body}
