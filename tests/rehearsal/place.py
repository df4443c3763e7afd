"""Where a rehearsal keeps everything, so that the same command goes on after whatever ended it."""

from __future__ import annotations

import json
import os
import socket
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from practice.servers.dovecot import MASTER, MASTER_PASSWORD
from practice.world.world import World
from rehearsal.meter import Meter
from rehearsal.size import SIZES, Size

LEDGER, PREFECT = "ledger", "prefect"
"""The two databases."""


@dataclass(slots=True)
class Place:
    """A directory. ports: of everything that listens, the same at every start. seconds: spent so far;
    prepared: Prefect knows the deployments; kills: by kind; begun, unfinished: see rehearsal.waves.Waves;
    first: CPU seconds by role once the first pass was over, in so many of the seconds; night: what a second
    one took."""

    directory: Path
    name: str
    seed: int
    ports: dict[str, int]
    seconds: float = 0.0
    prepared: bool = False
    kills: Counter[str] = field(default_factory=Counter)
    begun: Counter[str] = field(default_factory=Counter)
    unfinished: list[str] = field(default_factory=list)
    first: dict[str, float] = field(default_factory=dict)
    night: dict[str, Any] = field(default_factory=dict)
    meter: Meter = field(default_factory=Meter)

    @property
    def size(self) -> Size:
        return SIZES[self.name]

    @property
    def config(self) -> Path:
        return self.directory / "kogge.toml"

    @property
    def dovecot(self) -> Path:
        return self.directory / "dovecot"

    @property
    def postgres(self) -> Path:
        return self.directory / "postgres"

    @property
    def api(self) -> str:
        return f"http://127.0.0.1:{self.ports['prefect']}/api"

    @property
    def exchange(self) -> str:
        return f"http://127.0.0.1:{self.ports['exchange']}/EWS/Exchange.asmx"

    @classmethod
    def at(cls, directory: Path, name: str, seed: int) -> Place:
        """As it was left, or a new one. Raises SystemExit where another size or seed was begun."""
        directory.mkdir(parents=True, exist_ok=True, mode=0o711)
        for name_ in ("dovecot", "postgres"):
            (directory / name_).mkdir(exist_ok=True)
        _refuse_hidden(directory)
        try:
            kept = json.loads((directory / "rehearsal-state.json").read_text())
        except (OSError, ValueError):
            return cls(
                directory, name, seed, {one: _free_port() for one in ("exchange", "dovecot", "prefect")}
            )
        if (kept["name"], kept["seed"]) != (name, seed):
            raise SystemExit(f"{directory} holds a rehearsal of another size or seed; remove it first")
        return cls(
            directory,
            name,
            seed,
            kept["ports"],
            kept["seconds"],
            kept["prepared"],
            Counter(kept["kills"]),
            Counter(kept["begun"]),
            kept["unfinished"],
            kept["first"],
            kept["night"],
            Meter.kept(kept["meter"]),
        )

    def keep(self) -> None:
        """Notes how far it is; whole or not at all."""
        state: Mapping[str, Any] = {
            "name": self.name,
            "seed": self.seed,
            "ports": self.ports,
            "seconds": self.seconds,
            "prepared": self.prepared,
            "kills": self.kills,
            "begun": self.begun,
            "unfinished": self.unfinished,
            "first": self.first,
            "night": self.night,
            "meter": self.meter.keep(),
        }
        fresh = self.directory / "rehearsal-state.new"
        fresh.write_text(json.dumps(state, indent=1))
        fresh.replace(self.directory / "rehearsal-state.json")

    def write(self, world: World, ledger_url: str) -> None:
        """kogge.toml, the list of mailboxes, the directory's export and the secrets."""
        account = next(one for one in world.service_accounts.values() if one.may_impersonate)
        addresses = world.addresses()
        waves = (self.size.wave_of(index) for index in range(len(addresses)))
        mapping = (f"{one},{one},{wave}\n" for one, wave in zip(addresses, waves, strict=True))
        files = {
            "kogge.toml": self._toml(account.address, ledger_url),
            "mailboxes.csv": "source,target,wave\n" + "".join(mapping),
            "directory.csv": "source,target\n" + "".join(f"{one},{one}\n" for one in addresses),
            "source-password": account.password + "\n",
            "target-password": MASTER_PASSWORD + "\n",
        }
        for file, text in files.items():
            path = self.directory / file
            path.touch(mode=0o600)
            if path.read_text() != text:
                path.write_text(text)

    def _toml(self, login: str, ledger_url: str) -> str:
        return f"""\
[source]
kind = "ews"
url = "{self.exchange}"
auth = "basic"
username = "{login}"
password = {{ file = "source-password" }}

[target.mail]
kind = "imap"
host = "127.0.0.1"
port = {self.ports["dovecot"]}
security = "none"
auth = "master-user"
username = "{MASTER}"
password = {{ file = "target-password" }}

[gate]
directory = "directory.csv"

[ledger]
url = "{ledger_url}"

[run]
canary = false
mailboxes_at_once = {self.size.legs}
batch = {self.size.batch}

[approval]
required = 0

[prefect]
api_url = "{self.api}"
dispatch = "deployment"
"""


def _refuse_hidden(directory: Path) -> None:
    """As root, Dovecot and PostgreSQL run as accounts that must reach their directories."""
    if os.geteuid() == 0:
        for path in (directory, *directory.absolute().parents):
            if not path.stat().st_mode & 0o001:
                raise SystemExit(f"{path} is closed to other accounts: give a --state that is not below it")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
