"""How text is compared in searches: NFKC, case folded, accents taken off, invisible characters left out. Pure.

SQLite calls `fold` as the function "folded" (db.py); PostgreSQL has its own expression (search/parties.py).
"""

from __future__ import annotations

import re
import unicodedata

_ACCENTED = re.compile("[\u00c0-\u024f\u0300-\u036f\u0370-\u03ff\u0400-\u052f\u1e00-\u1fff]")
#: As PostgreSQL reads them, too.
ACCENTS = "[\u0300-\u036f]+"  # not U+3099: か and が are different letters
INVISIBLE = "[\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180e\u200b-\u200f\u202a-\u202e\u2060-\u206f\ufeff]"
_ACCENTS, _INVISIBLE = re.compile(ACCENTS), re.compile(INVISIBLE)


def fold(text: str) -> str:
    """Return the text as it is compared."""
    text = unicodedata.normalize("NFKC", text).casefold()
    if _ACCENTED.search(text):
        text = unicodedata.normalize("NFC", _ACCENTS.sub("", unicodedata.normalize("NFD", text)))
    return _INVISIBLE.sub("", text)
