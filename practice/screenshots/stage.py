"""Hold what a scene needs: a practice world, a browser, and where the pictures go.

A scene is a function that takes a Stage. It brings the world to where it wants it, shows a page, and calls
`stage.picture`. Scenes run in the order of SCENES in one world; each must also run alone.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeAlias

from flows.deploy import prefect_server
from flows.deploy.server_login import known_login
from practice.harness.practice_run import PracticeRun
from practice.screenshots.browser import Browser

WAVE = "pilot"


@dataclass(frozen=True, slots=True)
class Stage:
    """Hold a running practice world, a browser, and the folder for the pictures.

    Attributes:
        world: the practice world; its wave is WAVE.
        browser: shows pages.
        images: gets the pictures.
    """

    world: PracticeRun
    browser: Browser
    images: Path
    _done: set[str] = field(default_factory=set)

    def once(self, name: str, commands: tuple[str, ...]) -> None:
        """Run commands of Kogge unless an earlier scene has.

        Raises:
            PracticeFailed: one of them does not end with 0.
        """
        if name not in self._done:
            for command in commands:
                self.world.kogge(command)
            self._done.add(name)

    def approved(self) -> None:
        """Bring the wave to where two people have signed its plan."""
        sign = f'approve --wave {WAVE} --reason "a picture" --yes --key'
        keys = ("approver-one.pem", "approver-two.pem")
        self.once("approved", (f"check --wave {WAVE}", *(f"{sign} {key}" for key in keys)))

    def migrated(self) -> None:
        """Bring the wave to where every mailbox of it is verified."""
        self.approved()
        self.once("migrated", (f"migrate --wave {WAVE}",))

    def prefect(self) -> str:
        """Return the address of Prefect's UI, which is started if it does not run."""
        self.once("prefect", ("server up",))
        shown = self.world.shell("kogge server status").output
        address = next(word.rstrip(".,;") for word in shown.split() if word.startswith("http"))
        ui = address.removesuffix("/api")
        if "login" not in self._done:
            self._done.add("login")
            self.browser.open(ui)
            self.browser.evaluate(f"localStorage.setItem('prefect-password', btoa({self.login!r}))")
        return ui

    @property
    def login(self) -> str:
        """Return the login of the local Prefect server, USER:PASSWORD."""
        return known_login(prefect_server.home(self.world.directory / "kogge-state"))

    def picture(self, name: str, *, whole: bool = False, height: int | None = None) -> None:
        """Write what the browser shows to NAME.png; see Browser.picture."""
        self.browser.picture(self.images / f"{name}.png", whole=whole, height=height)


Scene: TypeAlias = Callable[[Stage], None]
