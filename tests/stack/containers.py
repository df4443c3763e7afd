"""Docker's command line, and what is known of the Docker that answers."""

from __future__ import annotations

import json
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import closing
from pathlib import Path

STARTED = time.monotonic()
PATIENCE = 900.0
SOCKET = Path("/var/run/docker.sock")


def say(text: str) -> None:
    """One line for the person who waits."""
    seconds = int(time.monotonic() - STARTED)
    print(f"[{seconds // 60}:{seconds % 60:02}] {text}", file=sys.__stderr__, flush=True)


def here() -> str | None:
    """Why there is no Docker to try the stack with; None where there is one."""
    for words in (["docker", "compose", "version"], ["docker", "buildx", "version"]):
        if shutil.which("docker") is None or subprocess.run(words, capture_output=True).returncode:
            return f"`{' '.join(words)}` does not run here"
    if subprocess.run(["docker", "info"], capture_output=True, check=False).returncode:
        return "no Docker Engine answers here"
    return None


def run(
    words: Sequence[str | Path], *, given: bytes | None = None, env: Mapping[str, str] | None = None
) -> str:
    """What the command prints; fails with what it says."""
    command = [str(word) for word in words]
    done = subprocess.run(command, input=given, env=env, capture_output=True, timeout=PATIENCE, check=False)
    assert done.returncode == 0, f"{command}: {done.stderr.decode()[-3000:]}"
    return done.stdout.decode().strip()


def docker(*words: str | Path) -> str:
    return run(["docker", *words])


def free_port(address: str = "127.0.0.1") -> int:
    with closing(socket.socket()) as probe:
        probe.bind((address, 0))
        return int(probe.getsockname()[1])


def gateway() -> str:
    """This machine's address as containers of all networks reach it."""
    found = json.loads(docker("network", "inspect", "bridge"))
    return str(found[0]["IPAM"]["Config"][0]["Gateway"])


def remove_project(name: str) -> None:
    """Containers, volumes, networks of a Compose project, however far it came; safe more than once."""
    label = f"label=com.docker.compose.project={name}"
    for kind, options in (("ps", ["-aq"]), ("volume", ["ls", "-q"]), ("network", ["ls", "-q"])):
        listed = docker(*([kind] if kind == "ps" else [kind, options[0]]), *options[-1:], "--filter", label)
        remove = ["rm", "-f", "-v"] if kind == "ps" else [kind, "rm"]
        if listed.split():
            docker(*remove, *listed.split())
