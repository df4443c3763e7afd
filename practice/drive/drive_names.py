"""Names that people give to files, and what becomes of them elsewhere. None has a character that SharePoint
forbids ("*:<>?/\\| and controls); some are refused by it in other ways, and got there all the same: by
migrations, by sync clients, by older rules."""

from __future__ import annotations

import unicodedata

_UMLAUT = "Gemeindevertretung Größe Übersicht.docx"
LONG = "Sehr langer Name über die Verlängerung der Straßenausbaubeitragssatzung "

NAMES: tuple[str, ...] = (
    # Composed and decomposed, of the same look.
    unicodedata.normalize("NFC", _UMLAUT),
    unicodedata.normalize("NFD", _UMLAUT),
    unicodedata.normalize("NFD", "nur zerlegt é.txt"),
    # Alike but for case; ß and İ fold to more than one character.
    "Bericht.txt",
    "bericht.TXT",
    "STRASSE.txt",
    "straße.txt",
    "İstanbul.txt",
    # What Windows or a server of files reserves.
    "CON",
    "con.txt",
    "COM1.log",
    "~$lock.docx",
    ".htaccess",
    ".part",
    "video.mp4.part",
    "upload.filepart",
    "desktop.ini",
    "Thumbs.db",
    ".DS_Store",
    "._resource",
    # Blanks and dots where they are easily lost.
    " führendes Leerzeichen.txt",
    "Leerzeichen am Ende ",
    "Punkt am Ende.",
    "zwei  Leerzeichen.txt",
    "\N{NO-BREAK SPACE}geschützt\N{NO-BREAK SPACE}.txt",
    ".versteckt",
    "...",
    "…",
    # What has a meaning in an address, a shell, a header.
    "100% #1 & mehr+plus=gleich; 'Zitat' `x` $HOME !.txt",
    "%2F%2e%2e%00.txt",
    "Prozent%41.txt",
    "semikolon;komma,.csv",
    "[Klammern] {und} (andere) @^~.txt",
    "-rf",
    # Far from Latin.
    "📁🦄 👩‍👩‍👧‍👦 Familie.png",
    "日本語のファイル名.txt",
    "عربي ملف.txt",
    "\N{ZERO WIDTH SPACE}unsichtbar\N{ZERO WIDTH JOINER}.txt",
    "\N{RIGHT-TO-LEFT OVERRIDE}gpj.exe",
    "\N{FULLWIDTH LATIN CAPITAL LETTER A} breit.txt",
    # Characters that a target's names for forbidden ones look like.
    "schon ersetzt\N{FULLWIDTH COLON}\N{FULLWIDTH QUESTION MARK}\N{FULLWIDTH ASTERISK}.txt",
    "\N{SYMBOL FOR SPACE}.txt",
    # Long ones: 250 bytes, 255, and what is longer than any server's limit.
    "a" * 246 + ".txt",
    "b" * 251 + ".txt",
    "ü" * 120 + ".txt",
    "🦄" * 90 + ".txt",
    LONG * 3 + "Entwurf 1.docx",
    LONG * 3 + "Entwurf 2.docx",
    "kein-punkt-" + "x" * 239,
    "lange-Endung." + "y" * 200,
)

FOLDERS: tuple[str, ...] = (
    "Ordner mit Punkt.",
    "Ordner ",
    "AUX",
    "Ablage.part",
    "ablage",
    "Ablage",
    unicodedata.normalize("NFD", "Größe"),
    unicodedata.normalize("NFC", "Größe"),
    "🦄",
    "ö" * 125,
)
