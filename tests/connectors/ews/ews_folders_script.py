"""A scripted Exchange that lists folders."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from ews_responder import Answer, Request, Script, envelope, error, message


def folder(id_: str, class_: str, *, rights: bool | None) -> str:
    """A folder below the root; rights: whether its owner may put something there, None: it does not tell."""
    told = (
        f"<t:EffectiveRights><t:CreateContents>{str(rights).lower()}</t:CreateContents></t:EffectiveRights>"
        if rights is not None
        else ""
    )
    return (
        f'<t:Folder><t:FolderId Id="{id_}"/><t:ParentFolderId Id="ROOT"/>'
        f"<t:FolderClass>{class_}</t:FolderClass><t:DisplayName>{id_}</t:DisplayName>{told}</t:Folder>"
    )


def folders(listed: Sequence[str], known: Mapping[str, str], *, refused: str = "nothing") -> Script:
    """known: folder ids by distinguished name; refused: what a request for folders may not hold."""

    def script(request: Request) -> Answer:
        if request.operation == "FindFolder" and refused in request.xml:
            return Answer(envelope("FindFolder", error("FindFolder", "ErrorInvalidPropertyRequest")))
        if request.operation == "FindFolder":
            top = '<m:RootFolder IncludesLastItemInRange="true">'
            content = f"{top}<t:Folders>{''.join(listed)}</t:Folders></m:RootFolder>"
            return Answer(envelope("FindFolder", message("FindFolder", content)))
        names = re.findall(r'DistinguishedFolderId Id="([^"]*)"', request.xml)
        return Answer(
            envelope("GetFolder", *(_named({"msgfolderroot": "ROOT", **known}, one) for one in names))
        )

    return script


def _named(known: Mapping[str, str], name: str) -> str:
    if name not in known:
        return error("GetFolder", "ErrorFolderNotFound")
    found = f'<m:Folders><t:Folder><t:FolderId Id="{known[name]}"/></t:Folder></m:Folders>'
    return message("GetFolder", found)
