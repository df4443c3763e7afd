"""Hypothesis judges results, not speed: the machine may be busy."""

from __future__ import annotations

from hypothesis import settings

settings.register_profile("mappings", deadline=None)
settings.load_profile("mappings")
