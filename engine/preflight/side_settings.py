"""Say where the login of a side is set, and which server takes it: for the error of a refused login."""

from __future__ import annotations

from engine.config.load import Config
from engine.pacing.server_names import endpoint_of
from model.kinds import Kind

SECRETS = ("password", "client_secret", "certificate_file")
"""The settings with which a side logs in."""


def setting_of(side: str) -> str:
    """Return the name that the configuration has for a side: what is called the target is that of mail."""
    return "target.mail" if side == "target" else side


def login_place(config: Config, side: str) -> tuple[str, str]:
    """Return file, line and setting of the login of a side, and the server's host and port.

    Args:
        config: the configuration.
        side: "source", or "source." and a workload that has one of its own; "target" for that of mail, or
            "target." and another workload.
    """
    name = setting_of(side)
    sources = config.source.tables()
    settings = sources[name] if name in sources else config.target.of(Kind(name.partition(".")[2]))
    field = next((one for one in SECRETS if getattr(settings, one, None) is not None), "kind")
    return settings.where(field), endpoint_of(settings) or "the server"
