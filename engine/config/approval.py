"""Describe [approval]: who may approve a wave, and how many of them it takes."""

from __future__ import annotations

from pydantic import Field, field_validator

from connectors.settings import Strict
from model.key_line import public_bytes


class ApprovalSettings(Strict):
    """Hold the settings of [approval].

    Attributes:
        required: how many different approvers a wave takes before anything is written, and once more before
            its cutover; 0 for none.
        approvers: a name and "ed25519:BASE64", as `kogge keys new` prints it.
    """

    required: int = Field(default=2, ge=0, le=20)
    approvers: dict[str, str] = Field(default_factory=dict)

    @field_validator("approvers")
    @classmethod
    def _different(cls, approvers: dict[str, str]) -> dict[str, str]:
        """Refuse two names with one key: they would be one person who counts twice."""
        if any(not name.strip() or len(name) > 64 or not name.isprintable() for name in approvers):
            raise ValueError("give each approver a name of at most 64 characters")
        if len({name.strip().casefold() for name in approvers}) < len(approvers):
            raise ValueError("two names differ in capitals or blanks alone")
        if len({public_bytes(key) for key in approvers.values()}) < len(approvers):
            raise ValueError("two approvers have the same key")
        return approvers

    def name_of(self, key: bytes) -> str | None:
        """Return whose key it is; None if it is no approver's."""
        return next((name for name, own in self.approvers.items() if public_bytes(own) == key), None)

    def key_of(self, name: str) -> bytes | None:
        """Return the public key of an approver; None if there is no such approver."""
        key = self.approvers.get(name)
        return None if key is None else public_bytes(key)
