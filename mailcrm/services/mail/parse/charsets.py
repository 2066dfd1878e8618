"""Bytes to text: the charset ladder (declared, aliases, guess, Latin-1).

Never raises and never calls a codec that a sender names: labels go through a table,
because Python also registers codecs such as `punycode` (quadratic) and
`unicode_escape`. Does not read MIME. Evidence: 22 of 666 messages with exact
expected text are wrong with the stdlib's own names.
"""

from __future__ import annotations

import functools
import re

from mailcrm.services.mail.parse import guess

_LABELS: dict[str, tuple[str, ...]] = {
    "utf-8": ("utf-8",),
    "utf-7": ("utf-7",),
    "utf-16le": ("utf-16-le",),
    "utf-16be": ("utf-16-be",),
    "utf-32": ("utf-32",),
    # Microsoft's supersets first: mail labelled Shift_JIS holds NEC and IBM rows.
    "shift_jis": ("cp932", "shift_jis_2004"),
    "euc-jp": ("euc_jp", "euc_jis_2004"),
    "gb18030": ("gb18030",),
    "hz": ("hz",),
    "big5": ("cp950", "big5hkscs"),
    "euc-kr": ("cp949",),
    "iso-2022-kr": ("iso2022_kr",),
    "johab": ("johab",),
    # WHATWG: what is labelled ISO-8859-1 is Windows-1252 in practice. US-ASCII has no
    # rung: 8-bit octets under that label are UTF-8 or a guess.
    "windows-1252": ("cp1252",),
    "iso-8859-9": ("cp1254",),
    "iso-8859-11": ("cp874",),
    "macintosh": ("mac_roman",),
    "x-mac-cyrillic": ("mac_cyrillic",),
    "koi8-r": ("koi8_r",),
    "koi8-u": ("koi8_u",),
    "koi8-t": ("koi8_t",),
    "ibm437": ("cp437",),
    "ibm850": ("cp850",),
    "ibm852": ("cp852",),
    "ibm866": ("cp866",),
}
for _n in (2, 3, 4, 5, 6, 7, 8, 10, 13, 14, 15, 16):
    _LABELS[f"iso-8859-{_n}"] = (f"iso8859_{_n}",)
for _n in (1250, 1251, 1253, 1254, 1255, 1256, 1257, 1258):
    _LABELS[f"windows-{_n}"] = (f"cp{_n}",)

_ALIASES: dict[str, str] = {
    "utf8": "utf-8", "unicode-1-1-utf-8": "utf-8", "cp65001": "utf-8", "utf8mb4": "utf-8",
    "unicode-1-1-utf-7": "utf-7", "utf7": "utf-7",
    "utf-16": "utf-16", "utf16": "utf-16", "unicode": "utf-16", "ucs-2": "utf-16",
    "utf-16-le": "utf-16le", "utf-16-be": "utf-16be",
    "sjis": "shift_jis", "x-sjis": "shift_jis", "shift-jis": "shift_jis", "ms_kanji": "shift_jis",
    "cp932": "shift_jis", "windows-31j": "shift_jis", "ms932": "shift_jis",
    "eucjp": "euc-jp", "x-euc-jp": "euc-jp", "eucjp-ms": "euc-jp", "euc_jp": "euc-jp",
    "iso-2022-jp-1": "iso-2022-jp", "iso-2022-jp-2": "iso-2022-jp", "iso-2022-jp-3": "iso-2022-jp",
    "iso-2022-jp-ms": "iso-2022-jp", "cp50220": "iso-2022-jp", "cp50221": "iso-2022-jp",
    "iso2022jp": "iso-2022-jp", "csiso2022jp": "iso-2022-jp", "jis": "iso-2022-jp",
    "gb2312": "gb18030", "gbk": "gb18030", "x-gbk": "gb18030", "cp936": "gb18030",
    "gb_2312-80": "gb18030", "euc-cn": "gb18030", "chinese": "gb18030", "windows-936": "gb18030",
    "hz-gb-2312": "hz",
    "big5-hkscs": "big5", "big5hkscs": "big5", "cp950": "big5", "x-x-big5": "big5",
    "ks_c_5601-1987": "euc-kr", "ks_c_5601-1989": "euc-kr", "ks_c_5601": "euc-kr", "cp949": "euc-kr",
    "ksc5601": "euc-kr", "korean": "euc-kr", "uhc": "euc-kr", "windows-949": "euc-kr",
    "iso-8859-1": "windows-1252", "latin1": "windows-1252", "latin-1": "windows-1252",
    "iso8859-1": "windows-1252", "iso_8859-1": "windows-1252", "cp1252": "windows-1252",
    "iso-8859-8-i": "iso-8859-8", "iso-8859-8-e": "iso-8859-8", "logical": "iso-8859-8",
    "iso-8859-6-i": "iso-8859-6", "iso-8859-6-e": "iso-8859-6",
    "latin2": "iso-8859-2", "latin5": "iso-8859-9", "latin9": "iso-8859-15", "latin-9": "iso-8859-15",
    "tis-620": "iso-8859-11", "tis620": "iso-8859-11", "windows-874": "iso-8859-11",
    "cp874": "iso-8859-11", "x-windows-874": "iso-8859-11", "ibm874": "iso-8859-11",
    "mac": "macintosh", "x-mac-roman": "macintosh", "mac-roman": "macintosh",
    "mac-cyrillic": "x-mac-cyrillic", "x-mac-ukrainian": "x-mac-cyrillic",
    "koi8r": "koi8-r", "koi8": "koi8-r", "koi": "koi8-r", "koi8u": "koi8-u", "koi8-ru": "koi8-u",
    "cp437": "ibm437", "cp850": "ibm850", "cp852": "ibm852", "cp866": "ibm866", "866": "ibm866",
}  # fmt: skip

_CONTROLS = bytes((*range(9), 0x0B, *range(0x0E, 0x20), 0x7F))
_UNWANTED = re.compile("[\x00-\x08\x0b\x0e-\x1f\x7f\ud800-\udfff]")
_MAX_BAD = 0.03  # more replacement characters than this: the label is wrong, guess


def decode_bytes(data: bytes, charset: str | None) -> str:
    """Decode `data`, trusting `charset` while it fits. Never raises."""
    if data.isascii() and b"\x1b" not in data and b"~{" not in data and not is_wide(charset):
        text = data.decode("ascii")  # the usual case, and the same in nearly every charset
        if _canonical(charset) != "utf-7":
            return text
    label = _canonical(charset)
    if label == "iso-2022-jp":
        return _iso_2022_jp(data)
    if label == "utf-16":
        return _utf_16(data)
    codecs = _LABELS.get(label, ())
    if label.startswith(("windows-", "iso-8859-")):
        text = guess.as_utf8(data)  # a label left behind by a gateway; by chance this does not happen
        if text is not None:
            return text.removeprefix("\ufeff")
    if label == "windows-1252" and guess.is_foreign(data):
        codec = guess.guess(data)  # "ISO-8859-1" is what programs write that know no charset
        if codec is not None:
            return data.decode(codec, "replace")
    for codec in codecs:
        try:
            return data.decode(codec).removeprefix("\ufeff")
        except (UnicodeError, ValueError):
            continue
    if not codecs and b"\x1b$" in data:
        return _iso_2022_jp(data)
    try:
        return data.decode("utf-8").removeprefix("\ufeff")
    except UnicodeDecodeError:
        pass
    if codecs:
        text = data.decode(codecs[0], "replace").removeprefix("\ufeff")
        if text.count("\ufffd") <= max(1, int(len(text) * _MAX_BAD)):
            return text
    return _guess(data)


def is_known(charset: str) -> bool:
    """Say whether the ladder has a rung of that name."""
    label = _canonical(charset)
    return label in _LABELS or label in ("iso-2022-jp", "utf-16")


def safe_text(text: str) -> str:
    """Drop NULs, other controls that no text needs, and lone surrogates."""
    if text.isprintable():  # nearly every header field, and none of those
        return text
    try:
        return text.encode().translate(None, _CONTROLS).decode()  # a fifth of the pattern's time
    except UnicodeEncodeError:
        return _UNWANTED.sub("", text)


def one_line(text: str) -> str:
    """Return safe text on one line: line and paragraph separators become spaces."""
    return " ".join(safe_text(text).split())


def _canonical(charset: str | None) -> str:
    return _label((charset or "").strip(" \t\r\n\"'<>")[:60])


@functools.lru_cache(500)
def _label(charset: str) -> str:
    label = charset.casefold().replace(" ", "-")[:60]
    label = _ALIASES.get(label, label)
    if label not in _LABELS and label.startswith(("cs", "x-")):
        label = _ALIASES.get(label[2:], label[2:])
    if label not in _LABELS and label.startswith("cp") and f"windows-{label[2:]}" in _LABELS:
        label = f"windows-{label[2:]}"
    if label not in _LABELS and label.startswith(("iso8859", "iso_8859", "8859")):
        label = "iso-8859-" + label.rpartition("8859")[2].strip("-_").partition(":")[0]
        label = _ALIASES.get(label, label)
    return label


def is_wide(charset: str | None) -> bool:
    """Say whether ASCII octets mean something else in that charset."""
    return _canonical(charset) in ("utf-16", "utf-16le", "utf-16be", "utf-32")


def _utf_16(data: bytes) -> str:
    """RFC 2781 says big-endian without a mark; Windows programs send little-endian."""
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        return data.decode("utf-16", "replace")
    sample = data[:2000]
    little = sum(1 for b in sample[1::2] if b == 0)
    big = sum(1 for b in sample[0::2] if b == 0)
    if little == big:  # no Latin in it: the upper octets of a text are few different ones
        little, big = len(set(sample[0::2])), len(set(sample[1::2]))
    return data.decode("utf-16-le" if little > big else "utf-16-be", "replace")


def _iso_2022_jp(data: bytes) -> str:
    for codec in ("iso2022_jp_ext", "iso2022_jp_2004"):
        try:
            return data.decode(codec)
        except UnicodeError:
            continue
    return _cp50221(data)


def _cp50221(data: bytes) -> str:
    """Decode Microsoft's ISO-2022-JP, with NEC row 13 and half-width kana.

    Python has no such codec: 7-bit pairs are moved to Shift_JIS, where cp932 knows them.
    """
    out: list[str] = []
    pieces = data.split(b"\x1b")
    out.append(pieces[0].decode("cp932", "replace"))
    for piece in pieces[1:]:
        if piece.startswith((b"$@", b"$B")):
            out.append(_jis_pairs(piece[2:]))
        elif piece.startswith(b"$(D"):
            out.append(_escaped(b"\x1b" + piece + b"\x1b(B"))
        elif piece.startswith(b"(I"):
            out.append(bytes(b | 0x80 if 0x21 <= b <= 0x5F else b for b in piece[2:]).decode("cp932", "replace"))
        elif piece.startswith((b"(B", b"(J", b"(H")):
            out.append(piece[2:].decode("cp932", "replace"))
        else:
            out.append(piece.decode("cp932", "replace"))
    return "".join(out)


def _escaped(data: bytes) -> str:
    return data.decode("iso2022_jp_ext", "replace")


def _jis_pairs(data: bytes) -> str:
    moved = bytearray()
    i, size = 0, len(data)
    while i < size:
        high = data[i]
        if 0x21 <= high <= 0x7E and i + 1 < size and 0x21 <= data[i + 1] <= 0x7E:
            low = data[i + 1]
            lead = (high + 1) // 2 + (0x70 if high < 0x5F else 0xB0)
            trail = low + (0x1F if low < 0x60 else 0x20) if high % 2 else low + 0x7E
            moved += bytes((lead, trail))
            i += 2
        else:
            moved.append(high)
            i += 1
    return moved.decode("cp932", "replace")


def _guess(data: bytes) -> str:
    """Read what carries no label: marks, ISO-2022-JP, what `guess` finds, UTF-8 with damage, Windows-1252."""
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        return data.decode("utf-16", "replace").removeprefix("\ufeff")
    if b"\x1b$" in data or b"\x1b(I" in data:
        return _iso_2022_jp(data)
    codec = guess.guess(data)
    if codec is not None:
        return data.decode(codec, "replace")
    text = data.decode("utf-8", "replace")
    if text.count("\ufffd") * 50 < sum(1 for c in text if c > "\x7f"):
        return text
    try:
        return data.decode("cp1252")
    except UnicodeDecodeError:
        return data.decode("latin-1")
