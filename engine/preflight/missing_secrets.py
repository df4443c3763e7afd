"""Name all secrets that are missing at once, so that nobody has to start a command once for each."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from connectors.settings import Secret, Strict
from engine.config.load import Config
from model.errors import Misconfigured


@contextmanager
def naming_missing_secrets(config: Config, between: str = "\n") -> Iterator[None]:
    """Let the error that says of a secret that it is missing name all others that are.

    Only an error is looked at: what this run needs no secret for may lack it.

    Args:
        config: the configuration.
        between: what stands between two of them.

    Raises:
        Misconfigured: as the block raised it, with each other secret.
    """
    try:
        yield
    except Misconfigured as error:
        missing = {one.where: one for one in _missing(config)}
        if missing.pop(error.where, None) is None:
            raise
        lines = [error.advice.removeprefix(f"{error.where}: "), *(one.advice for one in missing.values())]
        raise Misconfigured(error.where, between.join(lines)) from None


def _missing(config: Config) -> Iterator[Misconfigured]:
    """Yield an error for each secret of a server that cannot be read, in the order of the settings."""
    for settings in (*config.source.tables().values(), config.target):
        for secret in _secrets(settings):
            try:
                secret.read()
            except Misconfigured as error:
                yield error


def _secrets(settings: Strict) -> Iterator[Secret]:
    """Yield the secrets below a table that need no account, no command and no server to be read."""
    for _, value in settings:
        if isinstance(value, Secret):
            name = value.env or value.file or ""
            if name and "{" not in name:
                yield value
        elif isinstance(value, Strict):
            yield from _secrets(value)
