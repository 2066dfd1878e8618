"""Cells that spreadsheet programs would run (security.md threat 25, ASVS 1.2.10): an apostrophe before them, and back.

A program that takes another delimiter than ours (Excel where commas are decimal signs) sees a cell begin after every
";", tab or line break, quotes or not: what follows one there gets an apostrophe too.
Pure. `original(neutral(text)) == text` for every text: apostrophes that stand before such a place already are counted.
"""

from __future__ import annotations

import re

#: What begins a formula, in half and full width: programs in East Asian locales take both.
_SIGN = "=+\\-@＝＋－＠"
#: At the beginning of a cell, with what hides before one; and where another delimiter would begin a cell.
_PLACE = f"^(?='*[{_SIGN}\t\r\n])|(?<=[;\t\r\n])(?=[\"']*[{_SIGN}])"
_DANGEROUS = re.compile(_PLACE)
_KEPT = re.compile(f"^'(?='*[{_SIGN}\t\r\n])|(?<=[;\t\r\n])'(?=[\"']*[{_SIGN}])")


def neutral(text: str) -> str:
    """Return a cell that no spreadsheet program takes for a formula."""
    return _DANGEROUS.sub("'", text)


def original(text: str) -> str:
    """Return what `neutral` was given."""
    return _KEPT.sub("", text)
