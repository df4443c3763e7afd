"""Whether Prefect has the deployments of a wave.

Prefect's client, which takes a second to load, is not needed to ask that.
"""

from __future__ import annotations

import http.client
import os
import urllib.error
import urllib.request
from urllib.parse import quote

from engine.config.hints import next_command
from engine.config.load import Config
from flows.deploy.api import configured_api
from flows.deploy.deployments import WAVE
from flows.deploy.server_login import CLIENT_AUTH_STRING, header

ASK_SECONDS = 3.0


def setup_advice(config: Config, wave: str) -> str | None:
    """Return what to type if workers take runs from Prefect and Prefect does not know this wave yet.

    Without that the wave cannot be chosen there. It is None if Prefect knows the wave, if there are no
    workers, and if Prefect cannot be asked.
    """
    if config.prefect.dispatch != "deployment":
        return None
    api = configured_api(config)
    if api is None:
        return None
    name = quote(WAVE.name_of(wave), safe="")
    if _is_there(f"{api.rstrip('/')}/deployments/name/{WAVE.name}/{name}"):
        return None
    return f"Prefect does not know this wave yet; {next_command(config.path, 'setup')} adds it there"


def _is_there(url: str) -> bool:
    """Return False only if Prefect answers that there is none."""
    login = header(os.environ.get(CLIENT_AUTH_STRING, ""))
    request = urllib.request.Request(url, headers=login)  # noqa: S310 (the operator's own address)
    try:
        with urllib.request.urlopen(request, timeout=ASK_SECONDS):  # noqa: S310 (as above)
            return True
    except urllib.error.HTTPError as error:
        return error.code != http.client.NOT_FOUND
    except (OSError, ValueError, http.client.HTTPException):
        return True
