"""A trial whose target is a person's account on a practice Open-Xchange."""

from __future__ import annotations

import io
from collections import Counter
from datetime import datetime
from typing import BinaryIO

from memory.doubles import Step
from memory.shelf import MOMENT
from walking import TARGET, Trial

from connectors.caldav.settings import DavSettings
from connectors.caldav.target import DavTarget
from connectors.settings import Account, Secret
from mappings.registry import FORMS
from model.protocols import Guard, Kind, Target
from practice.open_xchange.server import OpenXchangeServer

PASSWORD_ENV = "KOGGE_TEST_OPEN_XCHANGE"


class Proven(DavTarget):
    """An invitation probe was here."""

    def silence(self) -> str:
        return "silent"


def open_target(
    trial: Trial, server: OpenXchangeServer, guard: Guard, moment: datetime, *, live: bool
) -> Target:
    """For the kind of items that the trial moves."""
    digest = FORMS[trial.kind].digest
    settings = DavSettings(
        kind="carddav" if trial.kind is Kind.CONTACTS else "caldav",
        url=server.url,
        profile="open-xchange",
        password=Secret(env=PASSWORD_ENV),
        connections=1,
        patience_seconds=5,
    )

    def meaning(stream: BinaryIO) -> bytes:
        return digest(stream, moment)

    return Proven(
        settings, Account(login=TARGET), guard, trial.directory, kind=trial.kind, digest=meaning, live=live
    )


def contents(server: OpenXchangeServer) -> Counter[tuple[str, bytes]]:
    """(calendar, meaning) of every event that the person has, in the window of listings and out of it."""
    owner, events = server.context.users[TARGET], server.suite.events
    return Counter(
        (folder.title, FORMS[Kind.CALENDAR].digest(io.BytesIO(one.text(owner, "/").encode()), MOMENT))
        for folder in server.context.own("calendar", owner)
        for one in events.all(folder)
    )


class OnOpenXchange(Trial):
    """Calendars, and what its owner does to them."""

    server: OpenXchangeServer

    def open_target(self, guard: Guard, step: Step, moment: datetime, *, live: bool) -> Target:
        return open_target(self, self.server, guard, moment, live=live)

    def contents(self) -> Counter[tuple[str, bytes]]:
        return contents(self.server)

    def sent(self, *methods: str) -> list[str]:
        """The paths of all requests of these methods."""
        return [one.path for one in self.server.requests if one.method in methods]
