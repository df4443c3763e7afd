"""deploy/pin-images: each image that is pulled is known by its digest, once. A program stands for Docker."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

ROOT = Path(__file__).parents[2]
COMPOSE = (ROOT / "docker-compose.yml").read_text()
DOCKER = """\
#!/bin/sh
for last; do :; done
echo "$1 $last" >>pulled
case "$1 ${WITHOUT:-} $last" in
  "image 1 redis"*) ;;
  image*) echo "${last%:*}@sha256:abc" ;;
esac
"""


def pinned(folder: Path, **more: str) -> subprocess.CompletedProcess[str]:
    docker = folder / "bin" / "docker"
    docker.parent.mkdir(exist_ok=True)
    docker.write_text(DOCKER)
    docker.chmod(0o755)
    environment = {"PATH": f"{docker.parent}:{os.environ['PATH']}", **more}
    script = ROOT / "deploy" / "pin-images"
    return subprocess.run([script], cwd=folder, env=environment, capture_output=True, text=True, check=False)


def test_each_image_is_known_by_its_digest_and_what_is_named_stays(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("KOGGE_NGINX_IMAGE=own.example/nginx@sha256:def\n")
    assert pinned(tmp_path).returncode == 0
    names = dict(re.findall(r"\$\{(KOGGE_[A-Z]+_IMAGE):-([^}]+)\}", COMPOSE))
    told = dict(line.split("=", 1) for line in (tmp_path / ".env").read_text().splitlines())
    assert told.pop("KOGGE_NGINX_IMAGE") == "own.example/nginx@sha256:def"
    pulled = {name: image for name, image in names.items() if not image.startswith("kogge")}
    assert told == {
        name: f"{image.partition(':')[0]}@sha256:abc" for name, image in pulled.items() if "NGINX" not in name
    }
    before = (tmp_path / ".env").read_text()
    (tmp_path / "pulled").unlink()
    assert pinned(tmp_path).returncode == 0
    assert (tmp_path / ".env").read_text() == before
    assert not (tmp_path / "pulled").exists()


def test_an_image_without_a_digest_is_said(tmp_path: Path) -> None:
    done = pinned(tmp_path, WITHOUT="1")
    assert done.returncode == 1
    assert "redis" in done.stderr
