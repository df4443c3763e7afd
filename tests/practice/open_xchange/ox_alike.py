"""Whether an answer means what the recorded one means: all but what is another each time.

Each function gives what matters of one kind of body, to be compared; a difference names both.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Mapping
from typing import Any

import httpx
from lxml import etree
from ox_recordings import Message
from servers.open_xchange.content_lines import Line, Part, parse

DAV = "{DAV:}"
TOLD = ("Allow", "DAV", "MS-Author-Via", "WWW-Authenticate", "Retry-After", "Content-Location")
THERE = (
    "Accept-Ranges",
    "Cal-Managed-ID",
    "Content-Disposition",
    "ETag",
    "Last-Modified",
    "Schedule-Tag",
    "Set-Cookie",
)
VOLATILE_LINES = {"DTSTAMP", "LAST-MODIFIED", "PRODID", "REV"}
VOLATILE_PARAMS = {"X-CALENDARSERVER-DTSTAMP", "MANAGED-ID"}
STAMPS = re.compile(r"\d{13}")
UUIDS = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
VOLATILE_KEYS = {
    "seriesId",
    "timestamp",
    "last_modified",
    "last_modified_utc",
    "creation_date",
    "lastModified",
    "created",
    "dtstamp",
    "error_id",
    "session",
}
"""And an id that is a number."""
NOT_SHOWN = {
    "modified_by", "created_by", "number_of_images", "useCount", "number_of_attachments", "error_desc",
    "error_stack", "error", "categories", "attendeePrivileges", "flags", "modifiedBy", "createdBy",
    "calendarUser", "subfolders", "subscr_subflds", "standard_folder_type", "supported_capabilities",
    "account_id", "used_for_sync", "created_from", "modified_from", "preDefined",
    "com.openexchange.folderstorage.displayName", "com.openexchange.subscribe.subscriptionFlag",
    "com.openexchange.share.extendedPermissions", "com.openexchange.calendar.config",
    "com.openexchange.calendar.provider", "com.openexchange.calendar.extendedProperties",
}  # fmt: skip
"""Keys that nobody who migrates reads: they may be missing."""


def differences(recorded: Message, answer: httpx.Response) -> list[str]:
    """What is not alike, in words; empty: nothing."""
    if recorded.status != answer.status_code:
        return [f"status {answer.status_code} instead of {recorded.status}: {answer.text[:300]}"]
    return _headers(recorded.headers, answer.headers) + _content(recorded, answer)


def _headers(recorded: httpx.Headers, answer: httpx.Headers) -> list[str]:
    told = [name for name in TOLD if recorded.get(name) != answer.get(name)]
    there = [name for name in THERE if (name in recorded) != (name in answer)]
    found = [f"{name}: {answer.get(name)} instead of {recorded.get(name)}" for name in told]
    found += [f"{name} is {'missing' if name in recorded else 'too much'}" for name in there]
    if _path(recorded.get("Location", "")) != _path(answer.get("Location", "")):
        found.append(f"Location: {answer.get('Location')}")
    return found


def _content(recorded: Message, answer: httpx.Response) -> list[str]:
    if recorded.left_out:
        return _pages(recorded, answer)
    if not recorded.body:
        return [f"a body of {len(answer.content)} bytes instead of none"] if answer.content else []
    kind = recorded.headers.get("Content-Type", "").partition(";")[0]
    ours = answer.headers.get("Content-Type", "").partition(";")[0]
    wrong = [] if kind == ours else [f"Content-Type: {ours} instead of {kind}"]
    return wrong or _bodies(kind, recorded.body, answer.content)


def _path(location: str) -> str:
    return httpx.URL(location).path if location else ""


def _bodies(kind: str, recorded: bytes, answer: bytes) -> list[str]:
    if kind == "text/xml":
        return _unlike(xml_meaning(recorded), xml_meaning(answer))
    if kind == "text/calendar":
        return _unlike(calendar_meaning(recorded.decode()), calendar_meaning(answer.decode()))
    if kind == "text/vcard":
        return _unlike(card_meaning(recorded.decode()), card_meaning(answer.decode()))
    if kind == "application/json":
        return _unlike(json_meaning(json.loads(recorded)), json_meaning(json.loads(answer)))
    if b"callback_" in recorded:
        return _unlike(json_meaning(_called(recorded)), json_meaning(_called(answer)))
    if kind == "text/html":
        return []  # a page for people
    return [] if recorded == answer else [f"{answer[:80]!r} instead of {recorded[:80]!r}"]


def _pages(recorded: Message, answer: httpx.Response) -> list[str]:
    """Of a long multistatus, whose responses were counted and left out. Of what is none, nothing."""
    marker = re.compile(rb"\n\[.*?(\d+) more <D:response>[^\n]*\n", re.DOTALL)
    cut = marker.search(recorded.body)
    if cut is None:
        return []
    theirs = xml_meaning(marker.sub(b"\n", recorded.body))
    theirs["".join(one for one in theirs if "many-<some>" in one)] += int(cut[1])
    return _unlike(theirs, xml_meaning(answer.content))


def _unlike(recorded: Counter[str], answer: Counter[str]) -> list[str]:
    missing = [f"missing: {one[:300]}" for one in (recorded - answer).elements()]
    return sorted(missing) + sorted(f"too much: {one[:300]}" for one in (answer - recorded).elements())


def _called(page: bytes) -> Any:
    found = re.search(rb"\]\)\((\{.*\})\)</script>", page, re.DOTALL)
    assert found is not None
    return json.loads(found[1])


def xml_meaning(body: bytes) -> Counter[str]:
    """Of a multistatus: each resource with each of its properties and its status; else all elements."""
    root = etree.fromstring(body)
    found: Counter[str] = Counter()
    if root.tag != f"{DAV}multistatus":
        return Counter([root.tag, *(str(one.tag) for one in root.iter())])
    for response in root.iterfind(f"{DAV}response"):
        href = UUIDS.sub("<uuid>", response.findtext(f"{DAV}href") or "")
        href = re.sub(r"/\d+-\d+\.ics$", "/<book>-<card>.ics", href)
        if root.find(f"{DAV}sync-token") is not None:
            href = re.sub(r"many-\d{4}", "many-<some>", href)  # which are on a page was chance
        status = response.findtext(f"{DAV}status")
        if status is not None:
            error = [str(one.tag) for one in response.iterfind(f"{DAV}error/*")]
            found[f"{href}: {status} {error}"] += 1
        for propstat in response.iterfind(f"{DAV}propstat"):
            for one in propstat.iterfind(f"{DAV}prop/*"):
                found[f"{href} {one.tag} {propstat.findtext(f'{DAV}status')}: {_value(one)}"] += 1
    found.update(f"token {_token(one.text or '')}" for one in root.iterfind(f"{DAV}sync-token"))
    return found


def _token(text: str) -> str:
    """Its form: how many of one stamp were told before a page ended is the server's own."""
    return re.sub(r"^<at>\.[1-9]\d*\.", "<at>.<some>.", STAMPS.sub("<at>", text))


def _value(one: etree._Element) -> str:
    name = etree.QName(one).localname
    text = (one.text or "").strip()
    if name in ("creationdate", "getlastmodified"):
        return re.sub(r"\w{3}, .*", "<a date>", text)
    if name == "getetag":
        return re.sub(r"^53-.*-\d{13}$", lambda found: "twice" if "null" in found[0] else "an ETag", text)
    if name in ("sync-token", "getctag"):
        return _token(text)
    if name == "calendar-data":
        return str(sorted(calendar_meaning(text).items()))
    if name == "address-data":
        return str(sorted(card_meaning(text).items()))
    attributes = sorted((str(key), value) for key, value in one.attrib.items() if "dt" not in str(key))
    inner = sorted(f"{etree.QName(child).localname}{_value(child)}" for child in one)
    return f"{text}{attributes}{inner}"


def calendar_meaning(text: str) -> Counter[str]:
    """Every line with the component that it is in; of a VTIMEZONE the TZID, for its rules are the zone's."""
    return Counter(_lines(parse(text), ""))


def _lines(part: Part, where: str) -> list[str]:
    if part.name == "VTIMEZONE":
        return [f"{where}VTIMEZONE {part.value('TZID')}"]
    occurrence = part.value("RECURRENCE-ID")
    here = f"{where}{part.name}{f'[{occurrence}]' if occurrence else ''} "
    dropped = VOLATILE_LINES | ({"CREATED"} if part.name == "VEVENT" else set())
    dropped |= {"UID"} if part.name == "VALARM" else set()
    found = [here, *(f"{here}{_line(line)}" for line in part.lines if line.name not in dropped)]
    return found + [line for inner in part.parts for line in _lines(inner, here)]


def _line(line: Line) -> str:
    params = sorted(one for one in line.params if one[0] not in VOLATILE_PARAMS)
    value = line.value
    if line.param("MANAGED-ID"):
        value = re.sub(r"^http://[^/]+/attachments/\w+/", "<attachment>/", value)
    return f"{line.name}{params}:{value}"


def card_meaning(text: str) -> Counter[str]:
    found: Counter[str] = Counter()
    for line in parse(text).lines:
        if line.name not in VOLATILE_LINES:
            others = sorted(one for one in line.params if one[0] != "TYPE")
            found[f"{line.name}{sorted(line.types())}{others}:{line.value}"] += 1
    return found


def json_meaning(content: Any) -> Counter[str]:
    """Every value with the way to it; the order in lists is not looked at."""
    return Counter(_paths(content, ""))


def _without_number(row: list[Any]) -> list[Any]:
    """A row of columns begins with the id of an object."""
    return row[1:] if len(row) > 3 and str(row[0]).isdigit() else row


def _paths(content: Any, where: str) -> list[str]:
    if isinstance(content, Mapping):
        found = []
        for key, value in content.items():
            number = key == "id" and str(value).isdigit()
            if number or key in NOT_SHOWN or (key in VOLATILE_KEYS and not isinstance(value, list)):
                continue
            found += _paths(value, f"{where}.{key}")
        return found or [f"{where} is empty"]
    if isinstance(content, list):
        if content and not any(isinstance(one, Mapping | list) for one in content):
            return [f"{where}: {sorted(UUIDS.sub('<uuid>', str(one)) for one in _without_number(content))}"]
        rows = [sorted(_paths(one, "")) for one in _without_number(content)]
        return [f"{where}: {sorted(map(str, row))}" for row in rows] or [f"{where} is empty"]
    return [f"{where}: {UUIDS.sub('<uuid>', str(content))}"]
