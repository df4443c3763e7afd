"""Give categories the colours in which App Suite shows messages."""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping
from typing import Annotated

from pydantic import AfterValidator

from connectors.imap.product_open_xchange import COLOURS


def _colour(name: str) -> str:
    if name not in COLOURS:
        raise ValueError(f"not a colour of App Suite; there are: {', '.join(COLOURS)}")
    return name


ColourName = Annotated[str, AfterValidator(_colour)]


def keywords_of(colours: Mapping[str, ColourName]) -> dict[str, str]:
    """Return the keywords by category, as Exchange compares categories: without case.

    Raises:
        ValueError: a category has no name, or two differ in case only.
    """
    keywords: dict[str, str] = {}
    for category, colour in colours.items():
        name = unicodedata.normalize("NFC", category).casefold()
        if not name.strip():
            raise ValueError("a category has a name")
        if name in keywords:
            raise ValueError("two categories differ in case only")
        keywords[name] = COLOURS[colour]
    return keywords
