"""One stack for all tests here, in the order of the file; whatever happens, it is gone at the end."""

from __future__ import annotations

import secrets
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from containers import docker, here
from followed import Site, begin
from mail_servers import serving
from place import Place, source
from services import needed
from standins import images

from practice.world.world import World


@pytest.fixture(scope="session")
def site() -> Iterator[Site]:
    """The stack after the guide's first steps."""
    missing = here()
    needed(missing is None, f"Docker cannot be had here: {missing}")
    project = f"kogge-try-{secrets.token_hex(4)}"
    folder = Path(tempfile.mkdtemp(prefix=f"{project}-"))
    folder.chmod(0o755)
    with ExitStack() as stack:
        stack.callback(shutil.rmtree, folder, ignore_errors=True)
        made = images()
        opt = source(folder / "opt")
        own = f"{project}:latest"
        stack.callback(docker, "image", "rm", "-f", own)
        called = {f"KOGGE_{role.upper()}_IMAGE": name for role, name in made.items()}
        place = Place(folder / "srv", project, called | {"KOGGE_IMAGE": own})
        stack.callback(place.down)
        certificates = folder / "certificates"
        certificates.mkdir()
        world = World(seed=43, people=4, items=30, large=())
        mail = stack.enter_context(serving(certificates, made, world))
        site = Site(place, mail, opt, folder)
        begin(site)
        yield site
