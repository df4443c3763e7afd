"""How Nextcloud 32.0.1 shares collections, as a layer before Radicale: oc:share, oc:invite and publish-url as
they were recorded. It says 200 to every share, and skips whom it does not know, and the owner."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field, replace
from urllib.parse import unquote_plus

import httpx
from lxml import etree

from practice.dav.proxy import Forward, Reply, Request

DAV, OC, CS = "{DAV:}", "{http://owncloud.org/ns}", "{http://calendarserver.org/ns/}"


@dataclass
class Sharing:
    """people: every user, as the server spells them; shares: what each principal may, by the collection.

    public: collections with a public link; switched_off: sharing is, so that everybody is skipped.
    """

    people: Collection[str]
    groups: Collection[str] = ()
    shares: dict[str, dict[str, str]] = field(default_factory=dict)
    public: set[str] = field(default_factory=set)
    switched_off: bool = False

    def __call__(self, request: Request, rest: Forward) -> Reply:
        if request.method == "POST":
            return self._share(request)
        answer = rest(request)
        if request.method != "PROPFIND" or b"invite" not in request.body or answer.status != 207:
            return answer
        found = etree.fromstring(answer.body)
        for response in found.iter(f"{DAV}response"):
            self._tell(response, unquote_plus(response.findtext(f"{DAV}href") or ""))
        return replace(answer, body=etree.tostring(found))

    def _share(self, request: Request) -> Reply:
        owner = request.path.strip("/").partition("/")[0]
        held = self.shares.setdefault(request.path, {})
        for change in etree.fromstring(request.body):
            principal = self._known(change.findtext(f"{DAV}href") or "")
            if principal is None or principal.casefold() == f"principals/users/{owner}".casefold():
                continue
            if change.tag == f"{OC}remove":
                held.pop(principal, None)
            else:
                held[principal] = "read" if change.find(f"{OC}read-write") is None else "read-write"
        return Reply(200, httpx.Headers({"Content-Type": "text/html; charset=UTF-8"}))

    def _known(self, href: str) -> str | None:
        """The principal as the server spells it: ids are found in any case."""
        kind, _, name = href.removeprefix("principal:principals/").partition("/")
        if self.switched_off or not href.startswith("principal:principals/"):
            return None
        known = {"users": self.people, "groups": self.groups}.get(kind, ())
        spelled = (one for one in known if one.casefold() == unquote_plus(name).casefold())
        return next((f"principals/{kind}/{one}" for one in spelled), None)

    def _tell(self, response: etree._Element, path: str) -> None:
        if path.count("/") < 3:
            return
        stated = etree.SubElement(response, f"{DAV}propstat")
        prop = etree.SubElement(stated, f"{DAV}prop")
        etree.SubElement(stated, f"{DAV}status").text = "HTTP/1.1 200 OK"
        invite = etree.SubElement(prop, f"{OC}invite")
        owner = f"principals/users/{path.strip('/').partition('/')[0]}"
        seen = {**self.shares.get(path, {}), **({owner: "read-write"} if path in self.public else {})}
        for principal, access in sorted(seen.items()):
            user = etree.SubElement(invite, f"{OC}user")
            etree.SubElement(user, f"{DAV}href").text = f"principal:{principal}"
            etree.SubElement(etree.SubElement(user, f"{OC}access"), f"{OC}{access}")
        if path in self.public:
            link = etree.SubElement(prop, f"{CS}publish-url")
            etree.SubElement(link, f"{DAV}href").text = "https://x.example/public-calendars/secret-token"
