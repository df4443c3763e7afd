"""How Nextcloud 32.0.1 keeps when a person is available, as a layer before Radicale, which does not: the word
in its DAV header, the scheduling inbox, and the property there, in the answers that were recorded."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from xml.sax.saxutils import escape

from lxml import etree

from practice.dav.proxy import Forward, Reply, Request, reply

DAV, CAL = "{DAV:}", "{urn:ietf:params:xml:ns:caldav}"
WORD = "calendar-availability"
INBOX = "inbox"
ANSWER = (
    '<?xml version="1.0"?><d:multistatus xmlns:d="DAV:" xmlns:cal="urn:ietf:params:xml:ns:caldav">'
    "<d:response><d:href>{path}</d:href><d:propstat><d:prop>{prop}</d:prop><d:status>{status}</d:status>"
    "</d:propstat></d:response></d:multistatus>"
)


@dataclass
class Availability:
    """held: the property of each user. forgets: says that it keeps it, and does not; silent: has no such
    word; refuses: the status of the property in the answer to a change."""

    held: dict[str, str] = field(default_factory=dict)
    forgets: bool = False
    silent: bool = False
    refuses: str = ""

    def __call__(self, request: Request, rest: Forward) -> Reply:
        if request.path.rstrip("/").endswith(f"/{INBOX}"):
            return self._of_the_inbox(request)
        answer = rest(request)
        if request.method == "PROPFIND" and b"schedule-inbox-URL" in request.body and answer.status == 207:
            return replace(answer, body=_with_inbox(answer.body, request.user or ""))
        return answer

    def _of_the_inbox(self, request: Request) -> Reply:
        user = request.path.strip("/").partition("/")[0]
        if request.method == "OPTIONS":
            answer = reply(200)
            answer.headers["DAV"] = "1, 3, calendar-access" + ("" if self.silent else f", {WORD}")
            return answer
        if request.method == "PROPPATCH":
            return self._change(request, user)
        text = self.held.get(user)
        if request.method != "PROPFIND" or WORD.encode() not in request.body or text is None:
            return _answer(request.path, f"<cal:{WORD}/>", "HTTP/1.1 404 Not Found")
        return _answer(request.path, f"<cal:{WORD}>{escape(text)}</cal:{WORD}>", "HTTP/1.1 200 OK")

    def _change(self, request: Request, user: str) -> Reply:
        update = etree.fromstring(request.body)
        value = update.find(f"{DAV}set/{DAV}prop/{CAL}{WORD}")
        if self.refuses:
            return _answer(request.path, f"<cal:{WORD}/>", self.refuses)
        if value is not None and not self.forgets:
            self.held[user] = value.text or ""
        elif value is None:
            assert update.find(f"{DAV}remove/{DAV}prop/{CAL}{WORD}") is not None
            self.held.pop(user, None)
        status = "HTTP/1.1 200 OK" if value is not None else "HTTP/1.1 204 No Content"
        return _answer(request.path, f"<cal:{WORD}/>", status)


def _answer(path: str, prop: str, status: str) -> Reply:
    body = ANSWER.format(path=path, prop=prop, status=status)
    return reply(207, body, kind="application/xml; charset=utf-8")


def _with_inbox(body: bytes, user: str) -> bytes:
    found = etree.fromstring(body)
    for response in found.iter(f"{DAV}response"):
        for missing in list(response.iter(f"{CAL}schedule-inbox-URL")):
            parent = missing.getparent()
            if parent is not None:
                parent.remove(missing)
        stated = etree.SubElement(response, f"{DAV}propstat")
        prop = etree.SubElement(stated, f"{DAV}prop")
        etree.SubElement(stated, f"{DAV}status").text = "HTTP/1.1 200 OK"
        url = etree.SubElement(prop, f"{CAL}schedule-inbox-URL")
        etree.SubElement(url, f"{DAV}href").text = f"/{user}/{INBOX}/"
    return etree.tostring(found)
