"""The HTTP API as far as it was recorded: login, folders and their rights, and the door to the other modules.

Every answer is 200; what went wrong is in its JSON.
"""

from __future__ import annotations

import hmac
import json
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from email.message import EmailMessage
from email.parser import BytesParser
from email.policy import HTTP
from http.cookies import SimpleCookie
from typing import Any
from urllib.parse import parse_qs

import httpx

from practice.dav.proxy import Reply, Request
from servers.open_xchange.context import ALL_USERS, NUMBER, OWNER, USERS_BOOK, Folder, Kind, User
from servers.open_xchange.suite import Suite

UNCACHED = {
    "Expires": "Sat, 06 May 1995 12:00:00 GMT",
    "Cache-Control": "no-store, no-cache, must-revalidate, post-check=0, pre-check=0",
    "Pragma": "no-cache",
}
KINDS: Mapping[str, tuple[Kind, ...]] = {
    "event": ("calendar", "birthdays"),
    "contacts": ("contacts",),
    "tasks": ("tasks",),
}
MODULES: Mapping[Kind, str] = {
    "calendar": "calendar",
    "birthdays": "calendar",
    "contacts": "contacts",
    "tasks": "tasks",
}

CATEGORIES = {"USER_INPUT": 1, "PERMISSION_DENIED": 3, "TRY_AGAIN": 4, "ERROR": 8, "CONFLICT": 9}


class ApiError(Exception):
    """An error as the JSON tells it."""

    def __init__(self, code: str, text: str, category: str = "USER_INPUT") -> None:
        super().__init__(code)
        self.code = code
        self.text = text
        self.category = category

    def json(self) -> dict[str, Any]:
        """Only USER_INPUT was recorded, as category 1; the words and numbers are those of the documents."""
        said = {"categories": self.category, "category": CATEGORIES[self.category], "code": self.code}
        return {"error": self.text, "error_params": [], **said}


@dataclass(frozen=True, slots=True)
class Session:
    """Bound to the exact User-Agent of its login, and to a cookie."""

    user: User
    agent: str
    secret: str


@dataclass(frozen=True, slots=True)
class Call:
    """One call: the parameters of its URL, and its body."""

    suite: Suite
    user: User
    params: Mapping[str, str]
    request: Request

    def folder(self, name: str = "folder") -> Folder:
        """Raises ApiError."""
        found = self.suite.context.by_id(self.params.get(name, ""))
        if found is None or not found.bits(self.user.number):
            raise ApiError("FLD-0008", "Folder could not be found.")
        return found

    def body(self) -> Any:
        return json.loads(self.request.body or b"{}")

    def uploads(self) -> list[bytes]:
        """The files of a multipart/form-data."""
        head = f"Content-Type: {self.request.headers.get('Content-Type', '')}\r\n\r\n".encode()
        mail = BytesParser(EmailMessage, policy=HTTP).parsebytes(head + self.request.body)
        return [part.get_payload(decode=True) for part in mail.walk() if part.get_filename()]  # type: ignore[misc]

    def columns(self) -> list[int]:
        return [int(one) for one in self.params.get("columns", "").split(",") if one.isdigit()]


Action = Callable[[Call], Any]
"""What it returns is the answer's data; a tuple has a time stamp too."""


class HttpApi:
    """Sessions, and who answers which module and action."""

    def __init__(self, suite: Suite, password: str, actions: Mapping[tuple[str, str], Action]) -> None:
        self.suite = suite
        self._password = password
        self._sessions: dict[str, Session] = {}
        self._actions = {
            ("folders", "allVisible"): _folders,
            ("folders", "get"): _folder,
            ("folders", "update"): _update_folder,
            ("user", "get"): _user,
            ("config/folder/contacts", ""): _default_book,
            **actions,
        }

    def forget_sessions(self) -> None:
        """Ends all sessions, as a restart does."""
        self._sessions.clear()

    @property
    def sessions(self) -> int:
        """How many are open."""
        return len(self._sessions)

    def answer(self, request: Request) -> Reply:
        params = {name: values[0] for name, values in parse_qs(request.query).items()}
        module = request.path.removeprefix("/ajax/")
        callback = params.get("callback", "")
        try:
            if module == "login":
                return self._login(request, params)
            user = self._session(request, params).user
            action = self._actions.get((module, params.get("action", "")))
            if action is None:
                raise ApiError("SVL-0005", "The action was not recorded.")
            data = action(Call(self.suite, user, params, request))
        except ApiError as error:
            return _said(error.json(), callback)
        at = {} if module.startswith("mailfilter") else {"timestamp": self.suite.context.clock.tick()}
        return _said({"data": data} | ({} if callback else at), callback)

    def _login(self, request: Request, params: Mapping[str, str]) -> Reply:
        """By a form. A logout was not recorded: by the documents its answer is empty. Raises ApiError."""
        if params.get("action") == "logout":
            self._session(request, params)
            del self._sessions[params["session"]]
            return Reply(200, httpx.Headers(UNCACHED), b"")
        if params.get("action") != "login":
            raise ApiError("SVL-0005", "The action was not recorded.")
        form = {name: values[0] for name, values in parse_qs(request.body.decode()).items()}
        if form.get("client") == request.headers.get("User-Agent"):
            raise ApiError(
                "LGI-0021", "Value of User-Agent header must not be used as value for the client parameter."
            )
        user = self.suite.context.users.get(form.get("name", ""))
        right = hmac.compare_digest(form.get("password", "").encode(), self._password.encode())
        if user is None or not right:
            raise ApiError("LGI-0006", "The user name or password is incorrect.")
        token, secret, public = uuid.uuid4().hex, uuid.uuid4().hex, uuid.uuid4().hex
        self._sessions[token] = Session(user, request.headers.get("User-Agent", ""), secret)
        made = {
            "session": token,
            "user": user.login,
            "user_id": user.number,
            "context_id": NUMBER,
            "locale": self.suite.context.locales[user.number],
        }
        reply = _said(made, "")
        cookies = {
            "JSESSIONID": public,
            "open-xchange-secret-practice": secret,
            "open-xchange-public-session-practice": public,
            "open-xchange-session-practice": token,
        }
        lines = [("Set-Cookie", f"{name}={text}; Path=/; HttpOnly") for name, text in cookies.items()]
        return Reply(200, httpx.Headers([*reply.headers.multi_items(), *lines]), reply.body)

    def _session(self, request: Request, params: Mapping[str, str]) -> Session:
        """Raises ApiError: also for a session of another User-Agent."""
        found = self._sessions.get(params.get("session", ""))
        cookies = SimpleCookie(request.headers.get("Cookie", ""))
        secret = cookies.get("open-xchange-secret-practice")
        agent = request.headers.get("User-Agent", "")
        if found is None or found.agent != agent or secret is None or secret.value != found.secret:
            raise ApiError("SES-0203", "Your session expired. Please login again.", "TRY_AGAIN")
        return found


def _said(content: Mapping[str, Any], callback: str) -> Reply:
    """JSON, or a page that hands it to a callback, as for an upload."""
    text = json.dumps(content, ensure_ascii=False)
    if not callback:
        kind = {"Content-Type": "application/json;charset=UTF-8"}
        return Reply(200, httpx.Headers(kind | UNCACHED), text.encode())
    name = f"callback_{callback}"
    script = f'(parent["{name}"] || window.opener && window.opener["{name}"])({text})'
    page = f'<!DOCTYPE html><html><head><script type="text/javascript">{script}</script></head></html>'
    headers = {"Content-Type": "text/html;charset=UTF-8", "Content-Disposition": "inline"}
    return Reply(200, httpx.Headers(headers | UNCACHED), page.encode())


def permissions(folder: Folder) -> list[dict[str, Any]]:
    rights = dict(sorted(folder.rights.items()))
    return [
        {"identifier": str(who), "bits": bits, "entity": who, "group": who == ALL_USERS}
        for who, bits in rights.items()
    ]


def _columns(call: Call, folder: Folder) -> dict[int, Any]:
    return {
        1: folder.id,
        300: call.suite.context.title(folder, call.user),
        301: MODULES[folder.kind],
        305: folder.bits(call.user.number),
        306: permissions(folder),
        308: folder.default,
    }


def _folders(call: Call) -> dict[str, list[list[Any]]]:
    """allVisible: "Calendar", and not the owner's name as in DAV."""
    found: dict[str, list[list[Any]]] = {}
    for folder in call.suite.context.visible(call.user, *KINDS.get(call.params.get("content_type", ""), ())):
        own = folder.owner == call.user.number
        group = "private" if own else "public" if folder.number == USERS_BOOK else "shared"
        known = _columns(call, folder)
        found.setdefault(group, []).append([known.get(column) for column in call.columns()])
    return found


def _folder(call: Call) -> dict[str, Any]:
    folder = call.folder("id")
    path = "carddav" if folder.kind == "contacts" else "caldav"
    title = call.suite.context.title(folder, call.user)
    return {
        "id": folder.id,
        "folder_id": "1" if folder.default else call.suite.context.default(folder.kind, call.user).id,
        "title": title,
        "folder_name": title,
        "module": MODULES[folder.kind],
        "type": 1,
        "created_by": folder.owner,
        "own_rights": folder.bits(call.user.number),
        "permissions": permissions(folder),
        "standard_folder": folder.default,
        "subscribed": True,
        "meta": {"color": folder.color, "resourceName": folder.resource},
        f"com.openexchange.{path}.url": f"https://ox.test/{path}/{folder.segment}",
    }


def _user(call: Call) -> dict[str, Any]:
    """The account itself, without a number. Measured, not recorded."""
    user = call.user
    return {"id": user.number, "email1": user.address, "aliases": [user.address], "display_name": user.name}


def _default_book(call: Call) -> str:
    """A leaf of the tree of settings: a text, also where it is a number."""
    return call.suite.context.default("contacts", call.user).id


def _update_folder(call: Call) -> str:
    """Title and rights. Nobody is mailed, unless the body has a notification: then whoever is new is."""
    folder, body = call.folder("id"), call.body()
    if folder.owner != call.user.number:
        raise ApiError("FLD-0003", "You do not have the permission.")
    change = body.get("folder", {})
    folder.title = change.get("title", folder.title)
    if "permissions" in change:
        before = set(folder.rights)
        folder.rights = {int(one["entity"]): int(one["bits"]) for one in change["permissions"]}
        folder.rights.setdefault(call.user.number, OWNER)
        if "notification" in body:
            _tell(call, folder, set(folder.rights) - before - {ALL_USERS})
    return folder.id


def _tell(call: Call, folder: Folder, numbers: set[int]) -> None:
    title = folder.title
    kind = {"calendar": "calendar", "tasks": "task folder", "contacts": "address book"}.get(folder.kind, "")
    addresses = [call.suite.context.by_number(number).address for number in sorted(numbers)]
    call.suite.mailer.notify(
        call.user, addresses, f'{call.user.name} has shared the {kind} "{title}" with you.'
    )
