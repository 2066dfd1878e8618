"""Parts a person's name into first and last, where that can be told. Pure.

A wrong first name in a greeting is worse than none, so what can't be told is "": a single word is a first name, a name
in Chinese characters, kana or hangul has the family name first and is parted only at a space.
"""

from __future__ import annotations

import re

_EAST_ASIAN = re.compile("[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af\uff66-\uff9f々]")
_TITLES = frozenset(
    "dr dr. prof prof. mr mr. mrs mrs. ms ms. mx mx. herr frau hr hr. fr fr. sir dame m m. mme mlle sr sra ing ing. "
    "dipl.-ing. med. rer. nat. phil. jur. h.c. mag. lic.".split()
)
_AFTER = frozenset("jr jr. sr. ii iii iv phd ph.d. md m.d. mba msc m.sc. bsc b.sc. esq esq. 様 さん 氏 殿 先生".split())
_PARTICLES = frozenset(
    "van von der den de da di del della dos du la le el al bin bint ibn ter ten zu zur af av of st st. y e".split()
)


def parts(name: str) -> tuple[str, str]:
    """Return (first, last); "" for what can't be told."""
    text = " ".join(name.replace("\u3000", " ").split())
    if "@" in text or not any(char.isalpha() for char in text):
        return "", ""
    last, comma, first = text.partition(",")
    if comma and first.strip() and first.strip().lower() not in _AFTER:  # "Kos, Maja"
        return " ".join(_plain(first.split())), last.strip()
    words = _plain(text.replace(",", " ").split())
    if not words:
        return "", ""
    if _EAST_ASIAN.search(text):
        return (words[1], words[0]) if len(words) == 2 else ("", "")
    if len(words) == 1:
        return words[0], ""
    at = len(words) - 1
    while at > 1 and words[at - 1].lower() in _PARTICLES:
        at -= 1
    return words[0], " ".join(words[at:])


def _plain(words: list[str]) -> list[str]:
    """Return the words without titles before and after."""
    found = list(words)
    while len(found) > 1 and found[0].lower() in _TITLES:
        del found[0]
    while len(found) > 1 and found[-1].lower() in _AFTER:
        del found[-1]
    return found
