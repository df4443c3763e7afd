"""A machine with systemd, PostgreSQL and Redis of its own distribution, in a container."""

from __future__ import annotations

import secrets
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from containers import docker, run

PATHS = ["--tmpfs", "/run", "--tmpfs", "/tmp"]


@dataclass(frozen=True, slots=True)
class Machine:
    name: str

    def sh(self, script: str) -> str:
        """What the commands print; fails with what they say."""
        return run(["docker", "exec", "-i", self.name, "sh", "-eu"], given=script.encode())

    def write(self, path: str, text: str) -> None:
        """A file that root alone may read, and its owner if somebody gets it."""
        run(
            ["docker", "exec", "-i", self.name, "install", "-D", "-m", "600", "/dev/stdin", path],
            given=text.encode(),
        )

    def steady(self, unit: str) -> bool:
        """Whether it runs, and was never begun again."""
        told = self.sh(f"systemctl show -p ActiveState,NRestarts {unit}")
        return set(told.splitlines()) == {"ActiveState=active", "NRestarts=0"}

    def journal(self, *units: str) -> str:
        """The end of what they said."""
        named = " ".join(f"-u {one}" for one in units)
        return self.sh(f"journalctl --no-pager -q -n 60 {named}")[-5000:]


@contextmanager
def booted(system: str, image: str, deploy: Path) -> Iterator[Machine]:
    """Boots it, with Kogge in /opt/kogge as `uv sync` would have put it there.

    Args:
        system: the image of the machine.
        image: the one with Kogge.
        deploy: the directory of that name.
    """
    name = f"kogge-machine-{secrets.token_hex(4)}"
    source = docker("create", image)
    try:
        docker("run", "-d", "--privileged", "-e", "container=docker", *PATHS, "--name", name, system)
        machine = Machine(name)
        machine.sh("mount --make-rshared /")  # as on a machine: secrets are handed to units by it
        machine.sh("until systemctl is-system-running | grep -qE 'running|degraded'; do sleep 1; done")
        with subprocess.Popen(
            ["docker", "cp", f"{source}:/opt/kogge", "-"], stdout=subprocess.PIPE
        ) as packed:
            subprocess.run(["docker", "cp", "-", f"{name}:/opt"], stdin=packed.stdout, check=True)
        docker("cp", f"{deploy}/.", f"{name}:/opt/kogge/deploy")
        machine.sh("ln -s . /opt/kogge/.venv")
        yield machine
    finally:
        docker("rm", "-f", "-v", source)
        docker("rm", "-f", "-v", name)
