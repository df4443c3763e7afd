"""Define an IMAP server's section of the configuration."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from connectors.endpoints import is_loopback
from connectors.imap.category_colours import ColourName, keywords_of
from connectors.imap.special_folders import FolderLanguage, FolderName, SpecialRole, paths, refuse_meeting
from connectors.server_settings import ServerSettings, is_personal
from connectors.settings import Port, Secret, Security, Tls
from model.protocols import Role

Auth = Literal["password", "master-user", "plain-authzid", "xoauth2"]


class ImapSettings(ServerSettings):
    """Configure one IMAP server.

    Attributes:
        username: the master user, for auth = "master-user" and "plain-authzid".
        password: of the user, or of the master user; for "xoauth2" the access token.
        timeout_seconds: the longest wait for the socket.
    """

    kind: Literal["imap"] = "imap"
    host: str
    port: Port = 993
    security: Security = "tls"
    tls: Tls = Tls()
    auth: Auth = "password"
    username: str | None = None
    password: Secret
    master_separator: str = Field(default="*", min_length=1, max_length=1)
    timeout_seconds: float = Field(default=60.0, gt=0)
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

    @property
    def is_shared(self) -> bool:
        """True for a master user; a user's own login opens one mailbox, whoever has its password."""
        return self.auth != "password" and not is_personal(self.password)

    @model_validator(mode="after")
    def _consistent(self) -> ImapSettings:
        if self.security == "none" and not is_loopback(self.host):
            raise ValueError('security = "none" is for a server on this very machine only')
        if self.auth in ("master-user", "plain-authzid") and not self.username:
            raise ValueError(f'auth = "{self.auth}" needs username: the master user')
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
