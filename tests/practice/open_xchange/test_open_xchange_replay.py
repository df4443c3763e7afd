"""The practice Open-Xchange answers each recorded request as App Suite 8.19 did, in the same order, at the
same time by its clock. ox_alike says what "as" means, ox_before what was done between."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field

import httpx
import pytest
import samples
from ox_alike import differences
from ox_before import BEFORE, REBUILT, Preparing, noise
from ox_recordings import HIDDEN, Pair, pairs
from servers.dav.dav_proxy import login
from servers.open_xchange import mailfilter
from servers.open_xchange.content_lines import parse
from servers.open_xchange.server import USER_PASSWORD, OpenXchangeServer
from servers.smtp_sink import Mail, SmtpSink

FOLDER = samples.BASE / "ox-recordings"
PAIRS = pairs(FOLDER) if FOLDER.is_dir() else []
pytestmark = [*samples.marks("ox-recordings"), pytest.mark.timeout(900)]
USERS = {"alice@ox.test": "Alice Anders", "bob@ox.test": "Bob Berger", "carol@ox.test": "Carol Clausen"}
NOT_IMITATED = {
    261: "ManageSieve is no HTTP: the script itself is compared below",
}
"""Pairs that are not played, with the reason."""
PASSED = (
    "Content-Disposition",
    "Content-Type",
    "Depth",
    "Host",
    "If",
    "If-None-Match",
    "Schedule-Reply",
    "Scheduling",
    "User-Agent",
)


@dataclass
class Replay:
    """tags: what the recorded server called something, and ours. found: by pair, what is not alike."""

    server: OpenXchangeServer
    sink: SmtpSink
    tags: dict[str, str] = field(default_factory=dict)
    sessions: dict[str, tuple[str, str]] = field(default_factory=dict)
    found: dict[int, list[str]] = field(default_factory=dict)
    answers: dict[int, httpx.Response] = field(default_factory=dict)

    def play(self, client: httpx.Client) -> None:
        for pair in PAIRS:
            if pair.number in NOT_IMITATED:
                continue
            self.server.clock.set(pair.now)
            if pair.number in BEFORE:
                BEFORE[pair.number](Preparing(self.server))
            self.sink.clear()
            answer = client.send(self._request(client, pair))
            self.answers[pair.number] = answer
            self.found[pair.number] = differences(pair.response, answer) + self._mails(pair)
            self._learn(pair, answer)

    def _request(self, client: httpx.Client, pair: Pair) -> httpx.Request:
        body = REBUILT[pair.number](pair) if pair.request.left_out else pair.request.body
        headers = {name: text for name in PASSED if (text := pair.request.headers.get(name)) is not None}
        if "If-Match" in pair.request.headers:
            headers["If-Match"] = self._tag(pair)
        target = pair.target
        if "/ajax/" in target:
            session, cookie = self._session(client, pair)
            headers["Cookie"] = cookie
            target = target.replace(HIDDEN, session)
            body = body.replace(f"password={HIDDEN}".encode(), f"password={USER_PASSWORD}".encode())
            target = re.sub(r"(?<=\?id=)\d+", lambda found: self.tags.get(found[0], found[0]), target)
            member = re.compile(rb'(?<="id": ")\d+')
            body = member.sub(lambda found: self.tags.get(found[0].decode(), "").encode(), body)
        else:
            password = "wrong" if pair.step == "wrong-password" else USER_PASSWORD
            headers["Authorization"] = login(f"{pair.user}@ox.test", password)["Authorization"]
            target = re.sub(r"/attachments/\w+", lambda found: self.tags.get(found[0], found[0]), target)
        known = re.search(rb"<D:sync-token>([\d.]+)</D:sync-token>", body)
        if known and known[1].decode() in self.tags:
            body = body.replace(known[1], self.tags[known[1].decode()].encode())
        if "managed-id=" in target:
            target = target.replace("managed-id=3", f"managed-id={self.tags.get('managed-id')}")
        return client.build_request(pair.method, target, headers=headers, content=body)

    def _tag(self, pair: Pair) -> str:
        """Ours for a recorded ETag; where nobody read it before, the present one."""
        recorded = pair.request.headers["If-Match"]
        if not recorded.startswith('"53-') or recorded in self.tags:
            return self.tags.get(recorded, recorded)
        headers = login(f"{pair.user}@ox.test", USER_PASSWORD)
        return httpx.get(self.server.url + pair.target, headers=headers).headers["ETag"]

    def _session(self, client: httpx.Client, pair: Pair) -> tuple[str, str]:
        if pair.user not in self.sessions:
            form = {"name": f"{pair.user}@ox.test", "password": USER_PASSWORD}
            headers = {"User-Agent": pair.request.headers["User-Agent"]}
            answer = client.post("/ajax/login?action=login", data=form, headers=headers)
            cookies = [one.partition(";")[0] for one in answer.headers.get_list("Set-Cookie")]
            self.sessions[pair.user] = answer.json()["session"], "; ".join(cookies)
            client.cookies.clear()
        return self.sessions[pair.user]

    def _learn(self, pair: Pair, answer: httpx.Response) -> None:
        """What later requests name."""
        if "ETag" in pair.response.headers and "ETag" in answer.headers:
            self.tags[pair.response.headers["ETag"]] = answer.headers["ETag"]
        tokens = re.compile(rb"sync-token>([\d.]+)</")
        theirs, ours = tokens.findall(pair.response.body), tokens.findall(answer.content)
        if theirs and ours:
            self.tags[theirs[-1].decode()] = ours[-1].decode()
        links = re.compile(rb"/attachments/\w+")
        unfolded = [re.sub(rb"\r\n ", b"", one) for one in (pair.response.body, answer.content)]
        theirs, ours = (links.findall(one) for one in unfolded)
        self.tags |= {one.decode(): other.decode() for one, other in zip(theirs, ours, strict=False)}
        if "Cal-Managed-ID" in answer.headers:
            self.tags["managed-id"] = answer.headers["Cal-Managed-ID"]
        if pair.step in ("addressbooks-all", "list-new"):
            ours, theirs = (_numbers(one) for one in (answer.content, pair.response.body))
            self.tags |= {theirs[name]: ours.get(name, "") for name in theirs}

    def _mails(self, pair: Pair) -> list[str]:
        ours = sorted(_told(mail) for mail in self.sink.mails)
        theirs = sorted(pair.mails or ())
        return [] if ours == theirs else [f"mails {ours} instead of {theirs}"]


def _numbers(body: bytes) -> dict[str, str]:
    """The ids of contacts, by UID and display name."""
    data = json.loads(body)["data"]
    return {str(row[1:3]): row[0] for row in data} if isinstance(data, list) else {"new": data["id"]}


def _told(mail: Mail) -> tuple[str, ...]:
    return (mail.method or "notification", mail.recipient, mail.sender, str(mail.message["Subject"]))


@pytest.fixture(scope="module")
def replay() -> Iterator[Replay]:
    with SmtpSink() as sink, OpenXchangeServer(USERS, sink=sink, now=PAIRS[0].now) as server:
        played = Replay(server, sink)
        with httpx.Client(base_url=server.url, timeout=60) as client:
            played.play(client)
        yield played


def _name(pair: Pair | None) -> str:
    return f"{pair.number:03}-{pair.scenario}-{pair.step}" if pair is not None else "absent"


@pytest.mark.parametrize("pair", PAIRS or [None], ids=_name)
def test_a_recorded_request_is_answered_alike(replay: Replay, pair: Pair) -> None:
    assert replay.found.get(pair.number, []) == []


@pytest.mark.parametrize("number", [129, 135])
def test_an_attachment_comes_back_whole(replay: Replay, number: int) -> None:
    size = int(next(pair for pair in PAIRS if pair.number == number).response.headers["Content-Length"])
    assert replay.answers[number].content == noise(size)


@pytest.mark.parametrize(("number", "name", "length"), [
    (138, "SUMMARY", 255),
    (138, "LOCATION", 255),
    (138, "DESCRIPTION", 65535),
    (190, "NOTE", 65535),
])  # fmt: skip
def test_a_text_is_cut(replay: Replay, number: int, name: str, length: int) -> None:
    found = parse(replay.answers[number].text)
    part = found.parts[0] if found.parts else found
    assert len(part.value(name)) == length


def test_a_photo_comes_back_whole(replay: Replay) -> None:
    photo = parse(replay.answers[183].text).first("PHOTO")
    assert photo is not None
    assert (photo.types(), base64.b64decode(photo.value)) == (["jpeg"], noise(3_000_000))


def test_the_sieve_script_is_the_recorded_one(replay: Replay) -> None:
    recorded = next(pair for pair in PAIRS if pair.number == 261).response
    whole = f"{recorded.start}\n{recorded.headers}\n{recorded.body.decode()}"
    ours = mailfilter.script(replay.server.suite, replay.server.context.users["alice@ox.test"])
    commands = [line for line in ours.splitlines() if line and not line.startswith("#")]
    assert [line for line in commands if line not in whole] == []


def test_nearly_every_pair_is_played() -> None:
    assert len(PAIRS) == 269
    assert len(NOT_IMITATED) <= 5
