r"""Text or HTML of Outlook's compressed RTF, the body in a winmail.dat that has no other.

Purely, in one pass, with a cap. HTML that Outlook wrapped into RTF (`\fromhtml`, [MS-OXRTFEX]) is taken out again;
other RTF becomes its text, without tables and pictures. LZFu is [MS-OXRTFCP].
"""

from __future__ import annotations

import re

from mailcrm.services.mail.parse.charsets import decode_bytes, safe_text

_MAX_RTF = 8 * 1024 * 1024  # octets after decompression; 17 octets can stand for one, so the input is no bound
_PRELOAD = (
    b"{\\rtf1\\ansi\\mac\\deff0\\deftab720{\\fonttbl;}{\\f0\\fnil \\froman \\fswiss \\fmodern \\fscript \\fdecor "
    b"MS Sans SerifSymbolArialTimes New RomanCourier{\\colortbl\\red0\\green0\\blue0\r\n\\par "
    b"\\pard\\plain\\f0\\fs20\\b\\i\\u\\tab\\tx"
)
_TOKEN = re.compile(
    rb"\\([a-zA-Z]{1,32})(-?\d{1,10})? ?|\\'([0-9a-fA-F]{2})|\\(.)|([{}])|[\r\n]+|([^\\{}\r\n]+)", re.DOTALL
)
_WORDS = {
    "par": "\n", "line": "\n", "row": "\n", "sect": "\n", "page": "\n", "tab": "\t", "cell": "\t", "emdash": "—",
    "endash": "–", "lquote": "‘", "rquote": "’", "ldblquote": "“", "rdblquote": "”", "bullet": "•", "nbsp": "\u00a0",
}  # fmt: skip
_UNSEEN = frozenset(
    "fonttbl colortbl stylesheet info pict object themedata colorschememapping datastore listtable listoverridetable "
    "rsidtbl generator header footer mhtmltag xmlnstbl latentstyles fldinst".split()
)
_CODEPAGES = {932: "shift_jis", 936: "gb18030", 949: "euc-kr", 950: "big5", 65001: "utf-8"}


def html_or_text_of_rtf(packed: bytes) -> tuple[str | None, str]:
    """Return (HTML, "") of wrapped HTML, else (None, text); ("" when there is nothing). Never raises."""
    rtf = unpack(packed)
    wrapped = b"\\fromhtml" in rtf[:4096]
    text = safe_text(_text(rtf, wrapped=wrapped))
    return (text, "") if wrapped and text.strip() else (None, text.strip("\n"))


def unpack(packed: bytes) -> bytes:
    """Undo LZFu; what is broken ends it, what was read before stays."""
    kind = packed[8:12]
    if kind == b"MELA":
        return packed[16 : 16 + _MAX_RTF]
    if kind != b"LZFu":
        return b""
    window = bytearray(_PRELOAD)
    limit = min(int.from_bytes(packed[4:8], "little"), _MAX_RTF) + len(_PRELOAD)
    at, size = 16, len(packed)
    while at < size and len(window) < limit:
        control = packed[at]
        at += 1
        for bit in range(8):
            if not control >> bit & 1:
                if at >= size:
                    break
                window.append(packed[at])
                at += 1
                continue
            if at + 2 > size:
                at = size
                break
            pair = packed[at] << 8 | packed[at + 1]
            at += 2
            # An offset into a ring of 4,096: the place before the end of what was written that is equal to it.
            back = (len(window) - (pair >> 4)) % 4096
            if back == 0:  # the end mark
                at = size
                break
            start = len(window) - back
            if start < 0:
                at = size
                break
            for i in range((pair & 15) + 2):
                window.append(window[start + i])
    return bytes(window[len(_PRELOAD) : limit])


def _text(rtf: bytes, *, wrapped: bool) -> str:
    out: list[str] = []
    pending = bytearray()  # octets of the code page; two of them may make one character
    charset = "windows-1252"
    stack: list[tuple[bool, bool]] = []
    hidden, tag = False, False  # of the group: not shown; HTML's own markup
    skip_rtf = False  # between \htmlrtf and \htmlrtf0
    fallback, width = 0, 1  # characters after \u that stand for it
    star = False

    def flush() -> None:
        if pending:
            out.append(decode_bytes(bytes(pending), charset))
            pending.clear()

    def octets(data: bytes) -> None:
        nonlocal fallback
        if fallback:
            cut = min(fallback, len(data))
            fallback -= cut
            data = data[cut:]
        if not hidden and not skip_rtf:
            pending.extend(data)

    for match in _TOKEN.finditer(rtf[:_MAX_RTF]):
        word, number, code, symbol, brace, plain = match.groups()
        if plain is not None:
            octets(plain)
        elif code is not None:
            octets(bytes((int(code, 16),)))
        elif brace == b"{":
            if len(stack) < 1000:
                stack.append((hidden, tag))
            fallback = 0
        elif brace == b"}":
            hidden, tag = stack.pop() if stack else (False, False)
            fallback = 0
        elif symbol is not None:
            star = symbol == b"*"
            if symbol in (b"\\", b"{", b"}"):
                octets(symbol)
            elif symbol == b"~":
                octets(b" ")
            continue
        elif word is not None:
            name = word.decode("ascii")
            value = int(number) if number is not None else None
            if name == "htmlrtf":
                skip_rtf = wrapped and value != 0
            elif name == "htmltag":
                hidden, tag = False, True
            elif name in _UNSEEN or star:
                hidden = True
            elif name == "ansicpg" and value is not None:
                charset = _CODEPAGES.get(value, f"windows-{value}")
            elif name == "uc" and value is not None:
                width = min(abs(value), 8)
            elif name == "u" and value is not None and not hidden and not skip_rtf:
                flush()
                out.append(_unit(value))
                fallback = width
            elif name in _WORDS and not hidden and not skip_rtf and not (wrapped and tag and name == "tab"):
                flush()
                out.append(_WORDS[name])
        star = False
    flush()
    return "".join(out).encode("utf-16", "surrogatepass").decode("utf-16", "replace")  # joins surrogate pairs


def _unit(value: int) -> str:
    return chr(value & 0xFFFF)
