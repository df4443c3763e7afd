"""Define an IMAP server's section of the configuration."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from connectors.imap.category_colours import ColourName, keywords_of
from connectors.imap.login_settings import LoginSettings
from connectors.imap.special_folders import FolderLanguage, FolderName, SpecialRole, paths, refuse_meeting
from connectors.settings import Port
from model.protocols import Role


class ImapSettings(LoginSettings):
    """Configure one IMAP server."""

    kind: Literal["imap"] = "imap"
    port: Port = 993
    artefacts: tuple[str, ...] = Field(
        default=(), description="beginnings of the subjects of provisioning mail that a new mailbox may hold"
    )
    batch_items: int = Field(default=200, ge=1, le=1000)
    batch_bytes: int = Field(default=10_000_000, ge=100_000)
    connections: int = Field(default=2, ge=1, le=4, description="how many write to one mailbox at a time")
    folder_language: FolderLanguage | None = Field(
        default=None,
        description="the language of Open-Xchange's names for the folders of sent mail and its like",
    )
    special_folders: dict[SpecialRole, FolderName] = Field(
        default_factory=dict, description="names of those folders, where the server marks none"
    )
    administrators: tuple[str, ...] = Field(
        default=(), description="who may read every mailbox of the target, by the names in its ACL"
    )
    category_colours: dict[str, ColourName] = Field(
        default_factory=dict,
        description="colours in which App Suite shows messages, by the names of categories",
    )
    spool_above: int = Field(default=4_000_000, ge=65_536, description="larger bodies go through a file")

    @model_validator(mode="after")
    def _consistent(self) -> ImapSettings:
        refuse_meeting(self.special_paths.values())
        keywords_of(self.category_colours)
        return self

    @property
    def colours(self) -> dict[str, str]:
        """Return the keywords of colours, by category without case."""
        return keywords_of(self.category_colours)

    @property
    def special_paths(self) -> dict[Role, tuple[str, ...]]:
        """Return where the folders with a role are, by their names."""
        return paths(self.folder_language, self.special_folders)
