"""Read answers of Open-Xchange's HTTP API, and translate its errors into one class per reaction.

Every answer has status 200; an error stands in its JSON, with a code such as "SES-0203" and categories.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, TypeAlias

from connectors import json_answer
from connectors.http.client import HttpAnswer
from connectors.http.dav_errors import GONE
from model.errors import Blocked, MigrationError, Rejected, Transient
from model.server_words import ServerWords, of_body

Json: TypeAlias = dict[str, Any]
TOO_MANY_EVENTS = "CAL-5072"
"""The code for a range with more events than an answer may hold (CalendarExceptionCodes, middleware)."""
_CODE = re.compile(r"[A-Z_]{2,12}-\d{4}")
_PASSING = frozenset({"TRY_AGAIN", "SERVICE_DOWN", "CONNECTIVITY"})
_FULL = frozenset({"CAPACITY"})
_FORBIDDEN = frozenset({"PERMISSION_DENIED"})
_BROKEN = frozenset({"ERROR", "CONFIGURATION"})
_LOGIN, _SCOPES = "LGI-", "RA-"
"""What the codes of logins begin with, and those of a session that may not use a module."""
_PROGRAM = frozenset({"LGI-0014", "LGI-0021"})
"""The login was refused because of the program that asks: its name is not allowed, or is the User-Agent."""
_LEADS_ELSEWHERE = "LGI-0016"
_NOT_THERE = frozenset({"CON-0125", "TSK-0019"})
"""There is no such contact or task. The server puts it into the category of its own faults (ERROR)."""
_NO_FOLDER = "FLD-0008"


class SessionExpired(Exception):
    """State that the server no longer knows the session. It did not carry out the request."""


class TooManyEvents(Exception):
    """State that a range holds more events than the server puts into one answer."""


def content(answer: HttpAnswer) -> Json:
    """Return the JSON object of an answer.

    Args:
        answer: the answer.

    Raises:
        SessionExpired: the session ended, or belongs to another User-Agent.
        TooManyEvents: the range is to be asked for in parts.
        Transient: "not-http-api" for anything but JSON, such as a login page; "busy", "server-error".
        Blocked: those of `refusal`, "no-http-api", and those of the HTTP status.
        Rejected: "refused-by-target" for what the server does not take; "vanished".

    Source:
        "Error handling" in documentation/http_api of the middleware.
    """
    if answer.status in GONE:
        raise no_api()
    if not answer.ok:
        raise answer.error()
    try:
        found = json_answer.read(answer.body)
    except ValueError:
        raise not_api() from None
    if not isinstance(found, dict):
        raise not_api()
    if found.get("error") is not None or found.get("code") is not None:
        code = _code(found)
        if code.startswith("SES-"):
            raise SessionExpired
        if code == TOO_MANY_EVENTS:
            raise TooManyEvents
        if not _is_warning(found):
            raise refusal(found).quoting(answer_words(answer))
    return found


def refusal(found: Mapping[str, Any]) -> MigrationError:
    """Return the error for an answer's error code and categories.

    That the server cannot log in anybody now is known by the category, so it goes first. Only then is a
    refusal said to be one of the password. A category that names the server's own fault (ERROR) is the one of
    a database that is away, and of an item at which the server always fails: nothing is said of the item.

    Args:
        found: the answer's JSON.

    Returns:
        Transient "busy" or "server-error"; Blocked "login-refused", "client-refused", "redirected-elsewhere",
        "password-scopes", "no-permission", "over-quota" or "container-missing"; Rejected "vanished"; else
        Rejected "refused-by-target".

    Source:
        LoginExceptionCodes, ContactExceptionCodes and TaskExceptionCode of the middleware. RA-0002 was
        measured with an app password of 8.19.
    """
    code, categories = _code(found), _categories(found)
    if categories & _PASSING:
        return Transient("busy", "the server asks to try again").about(code)
    if code.startswith(_LOGIN):
        return _refused_login(code, categories)
    if code.startswith(_SCOPES):
        return Blocked("password-scopes", "the password does not open this module of the API").about(code)
    if code in _NOT_THERE:
        return Rejected("vanished", "no longer at the target").about(code)
    if code == _NO_FOLDER:
        return Blocked("container-missing", "a collection is no longer there").about(code)
    if categories & _BROKEN:
        return Transient("server-error", "the server failed").about(code)
    if categories & _FORBIDDEN:
        return Blocked("no-permission", "the server forbids this to the account").about(code)
    if categories & _FULL:
        return Blocked("over-quota", "the account has no more room").about(code)
    return Rejected("refused-by-target", "the server does not take it").about(code)


def _refused_login(code: str, categories: frozenset[str]) -> MigrationError:
    """Return the error for a login that failed: by the password, by the program, or by the server."""
    if code in _PROGRAM:
        return Blocked("client-refused", "the server refuses the program, not the password").about(code)
    if code == _LEADS_ELSEWHERE:
        return Blocked("redirected-elsewhere", "the login leads to another server: correct api").about(code)
    if categories & _BROKEN:
        return Transient("server-error", "the server cannot log in anybody").about(code)
    return Blocked("login-refused", "the server refuses the login; it was not tried again").about(code)


def rows(found: Json, columns: int) -> list[list[Any]]:
    """Return the rows of an answer that lists by columns.

    Args:
        found: the answer's JSON.
        columns: how many columns were asked for.

    Raises:
        Transient: "not-http-api" for anything else.
    """
    listed = found.get("data")
    if not isinstance(listed, list) or not all(isinstance(row, list) for row in listed):
        raise not_api()
    if any(len(row) != columns for row in listed):
        raise not_api()
    return listed


def text_of(found: Json, name: str) -> str:
    """Return a text that the API states, without what cannot be shown; "" for none."""
    value = found.get(name)
    if not isinstance(value, str):
        return ""
    return "".join(one for one in value if one in "\t\n" or one.isprintable())


def answer_words(answer: HttpAnswer) -> ServerWords:
    """Return what the server said, for the private file of server words."""
    return of_body(answer.body)


def no_api() -> Blocked:
    """Return the error for a server without the API at the configured address."""
    return Blocked("no-http-api", "nothing answers as Open-Xchange's HTTP API: correct api")


def not_api() -> Transient:
    """Return the error for an answer that the API does not give."""
    return Transient("not-http-api", "something answered that is not Open-Xchange's HTTP API")


def _code(found: Mapping[str, Any]) -> str:
    """Return the error's code; "" for one of another shape, which may hold anything."""
    code = str(found.get("code", ""))
    return code if _CODE.fullmatch(code) else ""


def _categories(found: Mapping[str, Any]) -> frozenset[str]:
    stated = found.get("categories")
    return frozenset(map(str, stated)) if isinstance(stated, list) else frozenset({str(stated)})


def _is_warning(found: Mapping[str, Any]) -> bool:
    """Return True if the request was carried out, and the server only remarks something."""
    return _categories(found) == {"WARNING"} and "data" in found
