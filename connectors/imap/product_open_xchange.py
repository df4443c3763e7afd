"""Hold, as data, what Open-Xchange App Suite expects of its mail server; known from source and documents.

App Suite finds the folders for sent mail, drafts, trash and spam at a user's first login: by the names that
the user's mail account has, else by SPECIAL-USE, else by default names. A name that no folder has is looked
for once more without case; then the folder is created, without a use. What was found is kept with the
account, and the web client shows these folders with names in the user's own language.

With com.openexchange.mail.useStaticDefaultFolders the account gets names at its creation, by the user's
language: those below, unless AdminUser.properties says otherwise. They count before SPECIAL-USE.

A message has one colour in the web client: a keyword $cl_1 to $cl_10, whose numbers the web client gives to
colours (mail filters of appsuite-frontend). com.openexchange.mail.flagging.mode may hide them (flaggedOnly).

Source:
    https://documentation.open-xchange.com/latest/middleware/configuration/tags/Folder.html
    (SENT_MAILFOLDER_[language] and its like); com.openexchange.imap, IMAPDefaultFolderChecker.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from model.protocols import Role


def _names(sent: str, drafts: str, trash: str, junk: str = "Spam") -> dict[Role, str]:
    return {Role.SENT: sent, Role.DRAFTS: drafts, Role.TRASH: trash, Role.JUNK: junk}


COLOURS: Final[Mapping[str, str]] = {
    "red": "$cl_1",
    "blue": "$cl_2",
    "green": "$cl_3",
    "gray": "$cl_4",
    "purple": "$cl_5",
    "light green": "$cl_6",
    "orange": "$cl_7",
    "pink": "$cl_8",
    "light blue": "$cl_9",
    "yellow": "$cl_10",
}
"""The keywords by colour."""

FOLDERS: Final[Mapping[str, Mapping[Role, str]]] = {
    "cs_CZ": _names("Odeslané položky", "Koncepty", "Koš"),
    "de_DE": _names("Gesendete Objekte", "Entwürfe", "Papierkorb"),
    "en_US": _names("Sent Items", "Drafts", "Trash"),
    "es_ES": _names("Elementos enviados", "Borradores", "Papelera", "Correo no deseado"),
    "fr_FR": _names("Objets envoyés", "Brouillons", "Corbeille", "Pourriel"),
    "hu_HU": _names("Elküldött elemek", "Piszkozatok", "Törölt elemek", "Levélszemét"),
    "it_IT": _names("Posta inviata", "Bozze", "Cestino", "Posta Indesiderata"),
    "ja_JP": _names(
        "\u9001\u4fe1\u6e08\u30a2\u30a4\u30c6\u30e0",
        "\u4e0b\u66f8\u304d",
        "\u524a\u9664\u6e08\u307f\u30a2\u30a4\u30c6\u30e0",
        "\u8ff7\u60d1\u30e1\u30fc\u30eb",
    ),
    "lv_LV": _names("Nosūtītās vienības", "Melnraksti", "Atkritumi", "Mēstules"),
    "nl_NL": _names("Verzonden items", "Concepten", "Prullenbak"),
    "pl_PL": _names("Elementy wysłane", "Szkice", "Kosz"),
    "sk_SK": _names("Odoslané položky", "Rozpísané", "Kôš"),
    "sv_SV": _names("Skickat", "Utkast", "Papperskorgen", "Skräppost"),
    "zh_CN": _names(
        "\u5df2\u53d1\u9001\u90ae\u4ef6", "\u8349\u7a3f", "\u5783\u573e\u7b52", "\u5783\u573e\u90ae\u4ef6"
    ),
}
"""The folders' names by language. English (GB) is left out: its documented name for sent mail is cut off."""
