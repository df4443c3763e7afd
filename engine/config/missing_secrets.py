"""Name all secrets that are missing at once, so that nobody has to start a command once for each."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from connectors.settings import Secret, Strict
from engine.config.load import Config
from model.errors import Misconfigured
from model.kinds import Kind

INLINE = "; "


def refuse_missing_secrets(config: Config, kinds: Iterable[Kind]) -> None:
    """Refuse to begin what would end for want of a secret; it asks no server.

    Args:
        config: the configuration.
        kinds: the workloads whose sides will be opened.

    Raises:
        Misconfigured: a secret of them is missing; it names each secret that is.
    """
    sides = [side for kind in kinds for side in (config.source.of(kind), config.target.of(kind))]
    with naming_missing_secrets(config):
        for error in _missing(side for side in sides if side is not None):
            raise error


@contextmanager
def naming_missing_secrets(config: Config, between: str = INLINE) -> Iterator[None]:
    """Let the error that says of a secret that it is missing name all others that are; see with_the_others.

    Raises:
        Misconfigured: as the block raised it, with each other secret.
    """
    try:
        yield
    except Misconfigured as error:
        whole = with_the_others(config, error, between)
        if whole is error:
            raise
        raise whole from None


def with_the_others(config: Config, error: Misconfigured, between: str = INLINE) -> Misconfigured:
    """Return the error about a missing secret with all others that are missing.

    Only an error is looked at: what a run needs no secret for may lack it. An error that names them already
    gets them with what is to stand between them now.

    Args:
        config: the configuration.
        error: of whatever was begun.
        between: what stands between two of them.

    Returns:
        An error that names them all; the same one if it is about something else.
    """
    missing = {one.where: one.advice for one in _missing((*config.source.tables().values(), config.target))}
    hooks = {one.where: one.advice for one in _missing((config.hooks,))}
    if error.where in hooks:
        missing = hooks | missing
    if missing.pop(error.where, None) is None:
        return error
    others = "".join(f"{INLINE}{advice}" for advice in missing.values())
    first = error.advice.removeprefix(f"{error.where}: ").removesuffix(others)
    return Misconfigured(error.where, between.join([first, *missing.values()]))


def _missing(settings: Iterable[Strict]) -> Iterator[Misconfigured]:
    """Yield an error for each secret below these tables that cannot be read, in their order."""
    for table in settings:
        for secret in _secrets(table):
            try:
                secret.read()
            except Misconfigured as error:
                yield error


def _secrets(settings: object) -> Iterator[Secret]:
    """Yield the secrets below a table that need no account, no command and no server to be read."""
    if isinstance(settings, Secret):
        name = settings.env or settings.file or ""
        if name and "{" not in name:
            yield settings
    elif isinstance(settings, Strict):
        for _, value in settings:
            yield from _secrets(value)
    elif isinstance(settings, dict | tuple | list):
        for value in settings.values() if isinstance(settings, dict) else settings:
            yield from _secrets(value)
