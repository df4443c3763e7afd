"""Read text in a charset that its sender names.

Python has codecs that are no charsets (hex, zlib, idna), or whose time grows with the square of the text
(punycode). So a name is looked up here, in a list of charsets whose time grows with the text alone, and never
in Python's registry.

Source:
    WHATWG Encoding Standard, section 4.2 (Names and labels); Python Library Reference, Standard Encodings.
"""

from __future__ import annotations

from encodings.aliases import aliases

_CODECS = """
    ascii big5 big5hkscs cp037 cp273 cp424 cp437 cp500 cp720 cp737 cp775 cp850 cp852 cp855 cp856 cp857 cp858
    cp860 cp861 cp862 cp863 cp864 cp865 cp866 cp869 cp874 cp875 cp932 cp949 cp950 cp1006 cp1026 cp1125 cp1140
    cp1250 cp1251 cp1252 cp1253 cp1254 cp1255 cp1256 cp1257 cp1258 euc_jis_2004 euc_jisx0213 euc_jp euc_kr
    gb18030 gb2312 gbk hp_roman8 hz iso2022_jp iso2022_jp_1 iso2022_jp_2 iso2022_jp_2004 iso2022_jp_3
    iso2022_jp_ext iso2022_kr iso8859_2 iso8859_3 iso8859_4 iso8859_5 iso8859_6 iso8859_7 iso8859_8 iso8859_9
    iso8859_10 iso8859_11 iso8859_13 iso8859_14 iso8859_15 iso8859_16 johab koi8_r koi8_t koi8_u kz1048
    latin_1 mac_croatian mac_cyrillic mac_farsi mac_arabic mac_greek mac_iceland mac_latin2 mac_roman
    mac_romanian mac_turkish ptcp154 shift_jis shift_jis_2004 shift_jisx0213 tis_620 utf_7 utf_8 utf_8_sig
    utf_16 utf_16_be utf_16_le utf_32 utf_32_be utf_32_le
"""
CODECS = frozenset(_CODECS.split())
"""Python's text encodings. Left out: idna, punycode, raw_unicode_escape, unicode_escape, undefined, mbcs and
oem, and all codecs that are no text encodings."""
_MORE = {
    "csiso88598e": "iso8859_8",
    "csiso88598i": "iso8859_8",
    "dos_874": "cp874",
    "iso_8859_6_e": "iso8859_6",
    "iso_8859_6_i": "iso8859_6",
    "iso_8859_8_e": "iso8859_8",
    "iso_8859_8_i": "iso8859_8",
    "koi8_ru": "koi8_u",
    "logical": "iso8859_8",
    "unicode": "utf_16_le",
    "unicode_1_1_utf_8": "utf_8",
    "unicode_1_1_utf_7": "utf_7",
    "unicodefeff": "utf_16_le",
    "unicodefffe": "utf_16_be",
    "visual": "iso8859_8",
    "windows_31j": "cp932",
    "windows_874": "cp874",
    "windows_949": "cp949",
    "x_cp1250": "cp1250",
    "x_cp1251": "cp1251",
    "x_cp1252": "cp1252",
    "x_euc_jp": "euc_jp",
    "x_gbk": "gbk",
    "x_mac_cyrillic": "mac_cyrillic",
    "x_mac_roman": "mac_roman",
    "x_mac_ukrainian": "mac_cyrillic",
    "x_sjis": "shift_jis",
    "x_x_big5": "big5",
}
"""Labels of the standard, and of mail, that Python does not know."""
_LABELS = (
    {name.replace(".", "_"): codec for name, codec in aliases.items() if codec in CODECS}
    | {codec: codec for codec in CODECS}
    | _MORE
)
_SEPARATORS = str.maketrans({"-": "_", " ": "_", ".": "_", ":": "_"})
_LONGEST = 40
"""Characters of a label; every known one is shorter."""


def codec_of(label: str) -> str | None:
    """Return Python's name of a charset; None if the label is not one of those that are read.

    Args:
        label: as a sender wrote it, in any case.
    """
    if len(label) > _LONGEST:
        return None
    return _LABELS.get(label.strip().lower().translate(_SEPARATORS))


def text_of(data: bytes, label: str | None, fallback: str = "latin_1") -> str:
    """Return bytes as text, with U+FFFD in place of what is none.

    Args:
        data: the bytes.
        label: the charset as a sender wrote it; None if it is not stated.
        fallback: the codec for a label that is not known, and for none. With latin_1 no byte is lost, and
            what is ASCII is read as it is.
    """
    return data.decode((codec_of(label) if label else None) or fallback, "replace")
