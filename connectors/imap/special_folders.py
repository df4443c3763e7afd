"""Tell which folders an account has for sent mail, drafts, trash, junk and the archive.

A server that marks them (SPECIAL-USE) is believed. Where it marks none for a role, a mail program goes by a
name that it was given, and creates that folder when it is missing. The same names in the configuration make
the source's folder of that role go where the mail program looks, so that no second one appears.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import AfterValidator

from connectors.imap.product_open_xchange import FOLDERS
from model.protocols import Role

if TYPE_CHECKING:  # the settings, which a session needs, need this module
    from connectors.imap.folders import ImapFolder, Namespace

SpecialRole = Literal["sent", "drafts", "trash", "junk", "archive"]
Path = tuple[str, ...]


def _folder(name: str) -> str:
    levels = name.split("/")
    if any(not level or level != level.strip() or not level.isprintable() for level in levels):
        raise ValueError('give a folder\'s name, with "/" between levels: "Sent", "INBOX/Sent"')
    if name.upper() == "INBOX":
        raise ValueError("the inbox is no folder for anything else")
    return name


def _language(name: str) -> str:
    if name not in FOLDERS:
        raise ValueError(f"not a language with known names; there are: {', '.join(sorted(FOLDERS))}")
    return name


FolderName = Annotated[str, AfterValidator(_folder)]
FolderLanguage = Annotated[str, AfterValidator(_language)]


def refuse_meeting(paths: Iterable[Path]) -> None:
    """Raise ValueError if two roles have one folder.

    Names are compared without case, because mail programs look for them so.
    """
    folded = [tuple(level.casefold() for level in path) for path in paths]
    if len(set(folded)) < len(folded):
        raise ValueError("two roles have the same folder")


def paths(language: str | None, names: Mapping[SpecialRole, str]) -> dict[Role, Path]:
    """Return the paths by role: those of a language, and over them the names given one by one."""
    known = FOLDERS[language] if language else {}
    given = {Role(role): name for role, name in names.items()}
    return {role: tuple(name.split("/")) for role, name in {**known, **given}.items()}


def with_names(
    listed: Iterable[ImapFolder], where: Namespace, names: Mapping[Role, Path]
) -> list[ImapFolder]:
    """Return the folders; those that have a role by their name alone have it.

    A role that the server gives to a folder is not looked for. A name that only differs in case counts if a
    single folder has it: App Suite takes that folder, too.

    Args:
        listed: the account's folders.
        where: the account's namespace.
        names: the paths by role.
    """
    every = list(listed)
    own = [folder for folder in every if folder.selectable and not where.is_foreign(folder.name)]
    by_use = {folder.role for folder in own}
    free = {folder.raw: where.path(folder.name) for folder in own if folder.role is None}
    roles = {_match(free, path): role for role, path in names.items() if role not in by_use}
    return [replace(folder, named=roles.get(folder.raw)) for folder in every]


def _match(free: Mapping[bytes, Path], path: Path) -> bytes | None:
    exact = next((raw for raw, own in free.items() if own == path), None)
    if exact is not None:
        return exact
    alike = [raw for raw, own in free.items() if _folded(own) == _folded(path)]
    return alike[0] if len(alike) == 1 else None


def _folded(path: Path) -> Path:
    return (*path[:-1], path[-1].casefold())
