"""Write errors as Microsoft Graph does: a status, a code, and a shape around it."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from datetime import UTC, datetime


class GraphError(Exception):
    """Answer with an error.

    Attributes:
        headers: go with it.
    """

    def __init__(
        self, status: int, code: str, message: str, headers: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(code)
        self.status = status
        self.code = code
        self.message = message
        self.headers = dict(headers or {})

    def body(self) -> dict[str, object]:
        """Return the JSON object of the answer."""
        inner = {
            "date": f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%S}",
            "request-id": str(uuid.uuid4()),
            "client-request-id": str(uuid.uuid4()),
        }
        return {"error": {"code": self.code, "message": self.message, "innerError": inner}}


def bad_request(message: str, code: str = "BadRequest") -> GraphError:
    """Return a 400."""
    return GraphError(400, code, message)


def no_token(message: str = "Access token is empty.") -> GraphError:
    """Return a 401."""
    challenge = (
        'Bearer realm="", authorization_uri="https://login.microsoftonline.com/common/oauth2/authorize"'
    )
    return GraphError(401, "InvalidAuthenticationToken", message, {"WWW-Authenticate": challenge})


def expired_token() -> GraphError:
    """Return a 401 for a token whose life is over."""
    return no_token("Lifetime validation failed, the token is expired.")


def denied() -> GraphError:
    """Return a 403."""
    return GraphError(403, "ErrorAccessDenied", "Access is denied. Check credentials and try again.")


def forbidden() -> GraphError:
    """Return the 403 of directory and files, in place of `denied`."""
    return GraphError(
        403, "Authorization_RequestDenied", "Insufficient privileges to complete the operation."
    )


def not_found() -> GraphError:
    """Return a 404 for an item."""
    return GraphError(404, "ErrorItemNotFound", "The specified object was not found in the store.")


def malformed_id() -> GraphError:
    """Return a 400 for what is no id."""
    return bad_request("Id is malformed.", "ErrorInvalidIdMalformed")


def no_such_resource(name: str) -> GraphError:
    """Return a 400 for what is no address of this service."""
    return bad_request(f"Resource not found for the segment '{name}'.")


def no_such_user(name: str) -> GraphError:
    """Return a mailbox's 404 for a user; the directory's is `no_such_object`."""
    return GraphError(404, "ErrorInvalidUser", f"The requested user '{name}' is invalid.")


def no_such_object(name: str) -> GraphError:
    """Return the directory's 404."""
    message = (
        f"Resource '{name}' does not exist or one of its queried reference-property objects are not present."
    )
    return GraphError(404, "Request_ResourceNotFound", message)


def no_mailbox() -> GraphError:
    """Return a 404 for a user whose mailbox is elsewhere."""
    message = "The mailbox is either inactive, soft-deleted, or is hosted on-premise."
    return GraphError(404, "MailboxNotEnabledForRESTAPI", message)


def no_property(name: str, kind: str) -> GraphError:
    """Return a 400 for a property that a type does not have."""
    return bad_request(f"Could not find a property named '{name}' on type 'microsoft.graph.{kind}'.")


def bad_filter() -> GraphError:
    """Return a 400 for a $filter."""
    return bad_request("The query filter contains one or more invalid nodes.", "ErrorInvalidUrlQueryFilter")


def bad_query(message: str) -> GraphError:
    """Return a 400 for a query."""
    return bad_request(message, "ErrorInvalidUrlQuery")


def untracked(what: str, *names: str) -> GraphError:
    """Return a 400 for a query option that a delta does not take."""
    listed = ", ".join(names)
    return bad_query(
        f"The following parameters are not supported with change tracking over the '{what}' resource:"
        f" '{listed}'."
    )


def lost_sync_state() -> GraphError:
    """Return a 410 for a delta whose state is lost."""
    return GraphError(410, "SyncStateNotFound", "The sync state generation is not found; client=unknown.")


def too_busy() -> GraphError:
    """Return a 429 for more than four requests of one app to one mailbox at a time."""
    return throttled("Application is over its MailboxConcurrency limit.", 1)


def throttled(message: str, seconds: int) -> GraphError:
    """Return a 429 with a time to wait."""
    return GraphError(429, "ApplicationThrottled", message, {"Retry-After": str(seconds)})


def unconvertible() -> GraphError:
    """Permanent, whatever its status says."""
    return GraphError(500, "ErrorMimeContentConversionFailed", "The content conversion failed.")
