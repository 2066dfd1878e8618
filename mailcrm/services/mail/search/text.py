"""The words of a message and of a question: the same for SQLite and PostgreSQL, made here and not by them. Pure.

NFKC, case folded, accents taken off, cut into words of letters and digits; every run of Chinese, Japanese or Korean
writing becomes overlapping pairs and its last character, so that words of two characters, and of one, are found
(decisions.md 5; sync.md B6: trigrams find no 見積). Does not look anything up.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from operator import add

from mailcrm.services.folding import fold
from mailcrm.services.mail.parse.values import ParsedMessage

MAX_WORDS = 16_000  # of one message; PostgreSQL knows 16,383 positions in a text, and 1 MB of words
MAX_BYTES = 850_000  # of one message's words; PostgreSQL adds up to 10 bytes to each word's and stops at 1 MB
MAX_WORD = 60  # characters; longer ones are encoded rubbish, and are cut the same way when asked for
_MAX_TEXT = 400_000  # characters looked at: enough for MAX_WORDS of any language
MAX_QUESTION = 10  # words of a question

_CJK = (
    "\u1100-\u11ff\u2e80-\u2fdf\u3005-\u3007\u3021-\u3029\u3031-\u3035\u303b\u3041-\u3096\u3099-\u309c\u309f-\u30fa"
    "\u30fc-\u30ff\u3105-\u312f\u3131-\u318e\u31a0-\u31bf\u31f0-\u31ff\u3400-\u4dbf\u4e00-\u9fff\ua960-\ua97f"
    "\uac00-\ud7ff\uf900-\ufaff\U0001b000-\U0001b16f\U00020000-\U0003ffff"
)
_WORD = re.compile(rf"([{_CJK}]+)|[^\W_{_CJK}]+")
_ASCII = str.maketrans({n: " " for n in range(128) if not chr(n).isalnum()})


@dataclass(frozen=True, slots=True)
class Words:
    """What is indexed of a message, by where it stood; each is words with single spaces between."""

    subject: str
    people: str
    body: str
    files: str


def words_of(parsed: ParsedMessage) -> Words:
    """Return the words of a message; the body gets what the others leave of `MAX_WORDS`."""
    addresses = (*parsed.from_, *parsed.reply_to, *parsed.to, *parsed.cc, *parsed.bcc)
    everyone = ((parsed.sender,) if parsed.sender else ()) + addresses
    people = _cut(words(" ".join(dict.fromkeys(f"{a.name} {a.address}" for a in everyone))), 4000)
    files = _cut(words(" ".join(a.filename for a in parsed.attachments)), 2000)
    subject = _cut(words(parsed.subject), 1000)
    left = MAX_WORDS - sum(field.count(" ") + 1 for field in (subject, people, files))
    return _fitting(Words(subject, people, _cut(words(parsed.text), left), files))


def _fitting(found: Words) -> Words:
    """Cut what is more than `MAX_BYTES`: long words of four-byte letters are, within all the other limits."""
    if len(found.subject) + len(found.people) + len(found.body) + len(found.files) <= MAX_BYTES // 4:
        return found
    left = MAX_BYTES
    out: list[str] = []
    for field in (found.subject, found.people, found.files, found.body):
        raw = field.encode()
        if len(raw) > left:
            raw = raw[:left].rpartition(b" ")[0]  # whole words
        left -= len(raw)
        out.append(raw.decode())
    subject, people, files, body = out
    return Words(subject, people, body, files)


def words(text: str) -> str:
    """Return the words of a text with single spaces between."""
    text = text[:_MAX_TEXT]
    if text.isascii():
        return " ".join(_short(text.lower().translate(_ASCII).split()))
    return " ".join(_short(_tokens(fold(text))))


@dataclass(frozen=True, slots=True)
class Phrase:
    """Words that stand together. `open`: the last one may be the beginning of a longer word.

    `field`: in which of `Words` they must stand; "" is any.
    """

    words: tuple[str, ...]
    open: bool
    field: str = ""


def phrases(question: str) -> list[Phrase]:
    """Return what a person asked for: phrases that must all occur.

    A part that ends in a letter or digit may go on ("100" finds 1000, "100%" does not).
    """
    return [found for part in question.replace("\0", " ").split()[:MAX_QUESTION] if (found := phrase(part))]


def phrase(part: str, field: str = "", *, whole: bool = False) -> Phrase | None:
    """Return one phrase; None for a text without a word. `whole`: its last word does not go on."""
    words = _asked(part)
    return Phrase(tuple(words), not whole and part[-1].isalnum(), field) if words else None


def _asked(part: str) -> list[str]:
    """The words of one part of a question, as they stand in the index; the run at its end may go on there."""
    out: list[str] = []
    folded = fold(part[:200])
    for match in _WORD.finditer(folded):
        run = match[1]
        if run is None:
            out.append(match[0][:MAX_WORD])
        else:
            last = match.end() == len(folded) and len(run) > 1
            out += [run[n : n + 2] for n in range(len(run) - last)]
    return out


def _tokens(text: str) -> list[str]:
    out: list[str] = []
    for match in _WORD.finditer(text):
        run = match[1]
        if run is None:
            out.append(match[0])
        else:
            out += map(add, run, run[1:])
            out.append(run[-1])
    return out


def _short(found: list[str]) -> list[str]:
    if max(map(len, found), default=0) <= MAX_WORD:
        return found
    return [word[:MAX_WORD] for word in found]


def _cut(text: str, most: int) -> str:
    """Keep the first `most` words."""
    return text if len(text) <= most else " ".join(text.split(" ", most)[:most])
