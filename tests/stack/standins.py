"""Base images: the official ones (KOGGE_STACK_IMAGES=official), or stand-ins made once from the packages of
this machine's own distribution, for a machine that can pull nothing."""

from __future__ import annotations

import hashlib
import os
import subprocess
import tempfile
from pathlib import Path

from containers import docker, run, say

SOURCE = Path(__file__).parent / "images"
AUTHORITIES = Path("/etc/ssl/certs/ca-certificates.crt")
BASE = ("python3", "python3-venv", "python3-pip", "ca-certificates")
SUITE = "trixie"
SLIM = ("doc", "info", "lintian", "locale", "man")
"""Of /usr/share: what Debian's own slim images leave out."""
ROLES = ("python", "postgres", "redis", "nginx", "dovecot", "systemd")
OFFICIAL = {
    "python": "python:3.12-slim-trixie",
    "postgres": "postgres:17",
    "redis": "redis:8",
    "nginx": "nginxinc/nginx-unprivileged:1.28",
}


def images() -> dict[str, str]:
    """The name of the image for each role, made now if need be. The mail server is always a stand-in."""
    made = {role: f"kogge-standin/{role}:{_tag()}" for role in ROLES}
    missing = [role for role, name in made.items() if not _there(name)]
    if missing:
        base = _base()
        with tempfile.TemporaryDirectory() as context:
            for file in SOURCE.iterdir():
                (Path(context) / file.name).write_bytes(file.read_bytes())
            (Path(context) / "authorities.crt").write_bytes(AUTHORITIES.read_bytes())
            for role in missing:
                say(f"making a stand-in for the image of {role}")
                options = ["--network", "host", "--build-arg", f"BASE={base}", "--target", role]
                docker("build", "-q", *options, "-t", made[role], context)
    return made | OFFICIAL if os.environ.get("KOGGE_STACK_IMAGES") == "official" else made


def _base() -> str:
    name = f"kogge-standin/debian:{SUITE}-{hashlib.sha256(' '.join(BASE + SLIM).encode()).hexdigest()[:12]}"
    if not _there(name):
        say(f"making a base image of {SUITE}, once")
        with tempfile.TemporaryDirectory() as folder:
            archive = Path(folder) / "base.tar"
            options = ["--quiet", "--variant=minbase", f"--include={','.join(BASE)}"]
            options += [f"--dpkgopt=path-exclude=/usr/share/{one}/*" for one in SLIM]
            run(["mmdebstrap", *options, SUITE, archive])
            docker("import", archive, name)
    return name


def _tag() -> str:
    """Another one when what they are made of changes."""
    found = hashlib.sha256(" ".join((*BASE, *SLIM, SUITE)).encode())
    for file in (*sorted(one for one in SOURCE.iterdir() if one.suffix != ".yml"), AUTHORITIES):
        found.update(file.read_bytes())
    return found.hexdigest()[:12]


def _there(name: str) -> bool:
    return not subprocess.run(
        ["docker", "image", "inspect", name], capture_output=True, check=False
    ).returncode
