"""Guesses the charset of octets that carry no label, or one that can't be right.

By what real text looks like: UTF-8's own pattern, zeros of UTF-16, escape sequences, and the letters that each script
uses most. Linear, on a sample. Short text in a legacy charset can't be told and stays what the caller takes.
Does not know labels (`charsets.py`).
"""

from __future__ import annotations

import re

_SAMPLE = 20_000  # octets: enough to tell, and bounds the cost
_KANA = re.compile("[\u3041-\u30ff]")
_PAIRS = re.compile(rb"[\x81-\xfe][\x40-\x7e\x80-\xfe]")
_HIGH = re.compile(rb"[\x80-\xff]")
_LETTERS = re.compile(rb"[A-Za-z]")
_MULTI = re.compile(rb"[\xc2-\xdf][\x80-\xbf]|[\xe0-\xef][\x80-\xbf]{2}|[\xf0-\xf4][\x80-\xbf]{3}")
#: Of each single-octet charset: the letters that make up most of its language's text. Lower case tells KOI8 from 1251.
_FREQUENT = {
    "cp1251": "оеаинтсрвлкмдпуяыьзбгчйі",
    "koi8_u": "оеаинтсрвлкмдпуяыьзбгчйі",
    "iso8859_5": "оеаинтсрвлкмдпуяыьзбгчйі",
    "cp866": "оеаинтсрвлкмдпуяыьзбгчйі",
    "cp1253": "αοιετσνηυρπκμλςόίάέήγδωύθώ",
    "cp1255": "יוהלאמרבתשנםדקחפעכטגןזס",
    "cp1256": "اليمنرتبوةعدسفهكقحجشصخطذضىءأإؤئً",
    "iso8859_6": "اليمنرتبوةعدسفهكقحجشصخطذضىءأإؤئً",
    "cp874": "านรอกเงมยลวดทสตปคบ่้ีิัหพแขจใไโชถผุู",
}
_SURE, _ENOUGH = 0.88, 0.7  # share of frequent letters among the characters beyond ASCII; real text has 0.85 and more


def as_utf8(data: bytes) -> str | None:
    """Return the text when every octet beyond ASCII is part of UTF-8, at least two characters of it."""
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError:
        return None
    return text if len(_MULTI.findall(data[:_SAMPLE])) >= 2 else None


def is_foreign(data: bytes) -> bool:
    """Say whether most letters are beyond ASCII: then it is no Western European text, whatever its label."""
    sample = data[:_SAMPLE]
    high = len(_HIGH.findall(sample))
    return high >= 8 and high > len(_LETTERS.findall(sample))


def guess(data: bytes) -> str | None:
    """Return a Python codec that reads `data` well; None when nothing stands out."""
    sample = data[:_SAMPLE]
    wide = _wide(sample)
    if wide:
        return wide
    for codec in ("euc_jp", "cp932"):
        text = _decoded(data, codec)
        # Kana is every third character of Japanese, and rare by chance elsewhere.
        if text is not None and len(_KANA.findall(text)) * 8 >= max(sum(1 for c in text if c > "\x7f"), 1):
            return codec
    if not is_foreign(sample):
        return None
    return _single(sample, _SURE) or _east(sample) or _single(sample, _ENOUGH)


def _wide(sample: bytes) -> str | None:
    if len(sample) < 8:
        return None
    little, big = sample[1::2].count(0), sample[0::2].count(0)
    if little * 3 > len(sample) and not big:
        return "utf-16-le"
    return "utf-16-be" if big * 3 > len(sample) and not little else None


def _east(sample: bytes) -> str | None:
    """Chinese and Korean, by the rows that hold the frequent characters."""
    pairs = _PAIRS.findall(sample)
    if len(pairs) < 4 or len(pairs) * 2 < len(_HIGH.findall(sample)) * 0.8:
        return None
    leads = [pair[0] for pair in pairs]
    upper = sum(1 for pair in pairs if pair[1] >= 0xA1) / len(pairs)
    if upper > 0.95:
        hangul = sum(1 for lead in leads if 0xB0 <= lead <= 0xC8) / len(pairs)
        first = sum(1 for lead in leads if 0xB0 <= lead <= 0xD7 or lead == 0xA3 or lead == 0xA1) / len(pairs)
        if hangul > 0.95 and _decoded(sample[: _even(sample)], "cp949") is not None:
            return "cp949"
        return "gb18030" if first > 0.85 and _decoded(sample[: _even(sample)], "gb18030") is not None else None
    frequent = sum(1 for lead in leads if 0xA4 <= lead <= 0xC6 or lead == 0xA1) / len(pairs)
    return "cp950" if frequent > 0.85 else None


def _even(sample: bytes) -> int:
    """Return where a sample ends that does not cut a pair: at its last ASCII octet."""
    at = len(sample)
    while at and sample[at - 1] > 0x7F and len(sample) >= _SAMPLE:
        at -= 1
    return at


def _single(sample: bytes, score: float) -> str | None:
    best = None
    for codec, letters in _FREQUENT.items():
        beyond = [c for c in sample.decode(codec, "replace") if c > "\x7f"]
        share = sum(1 for c in beyond if c in letters) / max(len(beyond), 1)
        if share > score:
            best, score = codec, share
    return best


def _decoded(data: bytes, codec: str) -> str | None:
    try:
        return data.decode(codec)
    except UnicodeError:
        return None
