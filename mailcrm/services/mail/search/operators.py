"""What a search says: words, "phrases", -words, and operators that narrow a list (B11, T07). Pure.

    from:anna  to:"Mika Virtanen"  from:me  subject:offer  filename:pdf
    has:attachment  has:deal  is:unread  is:opened  in:archive  label:"To do"
    before:2026-03-01  after:2026-02  deal:"New roof"  person:anna

Between quotes everything is words, and so is what is not known here: `is:secret` is looked for. A minus before a word,
a phrase or an operator about a message leaves out what has it. Looks nothing up: names stay names.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from datetime import date

from mailcrm.services.mail.search.text import MAX_QUESTION, Phrase, phrase

#: What is written, and the filter of lists that it stands for (thread_pick.Filter).
OPERATORS = {
    "is:tracked": "tracked",
    "is:opened": "opened",
    "is:unopened": "not_opened",
    "is:clicked": "clicked",
    "is:unread": "unread",
    "is:unlinked": "unlinked",
    "has:attachment": "has_attachment",
    "has:deal": "open_deal",
}
VISIBILITIES = {"is:shared": "shared", "is:private": "private"}
FOLDERS = ("inbox", "sent", "archive", "snoozed", "all")
ME = "me"
MOST = 200  # characters of a search; more is cut
_FIELDS = {"subject": "subject", "filename": "files"}
_NAMED = {"label": "labels", "deal": "deals", "person": "persons"}
_PARTIES = {"from": "from", "to": "to", "cc": "to"}
_KEYS = "|".join([*_FIELDS, *_NAMED, *_PARTIES, "before", "after", "in", "is", "has"])
_PART = re.compile(
    rf'(?P<minus>-(?=[\w"]))?(?:(?P<key>{_KEYS})[:：])?(?:"(?P<quoted>[^"]*)"?|(?P<plain>\S+))', re.IGNORECASE
)
_DATE = re.compile(r"(\d{4})(?:[-/.](\d{1,2})(?:[-/.](\d{1,2}))?)?")


@dataclass(frozen=True, slots=True)
class Party:
    """Who sent a message, or who got it: a part of a name or an address, or ME."""

    role: str
    text: str


@dataclass(frozen=True, slots=True)
class Asked:
    """A question. All of it holds for one message; labels, deals and persons for its conversation."""

    phrases: tuple[Phrase, ...] = ()
    without: tuple[Phrase, ...] = ()
    parties: tuple[Party, ...] = ()
    without_parties: tuple[Party, ...] = ()
    #: From the beginning of `after` to the beginning of `before`, in the reader's time zone.
    before: date | None = None
    after: date | None = None
    labels: tuple[str, ...] = ()
    deals: tuple[str, ...] = ()
    persons: tuple[str, ...] = ()
    folder: str = ""
    visibility: str = ""
    filters: frozenset[str] = frozenset()
    #: Something was written, but nothing that can be looked for: it finds nothing.
    void: bool = False

    @property
    def of_message(self) -> bool:
        """Whether anything is asked of single messages, beside words."""
        return bool(self.without or self.parties or self.without_parties or self.before or self.after)


NOTHING = Asked()


def read(question: str) -> Asked:
    """Return what a question asks for; any text is one."""
    question = question.replace("\0", " ")[:MOST]
    asked, said = NOTHING, False
    for match in _PART.finditer(question):
        key = (match["key"] or "").lower()
        value = match["quoted"] if match["quoted"] is not None else match["plain"]
        known = _operator(asked, key, value.strip(), minus=bool(match["minus"])) if key else None
        if known is not None:
            asked = known
            continue
        if value[-1:] in (":", "：") and value[:-1].lower() in _KEYS.split("|"):
            continue  # its value is about to be typed
        if key and match["quoted"] is None:
            value = f"{match['key']}:{value}"
        said = said or bool(value.strip())
        if (found := phrase(value, whole=match["quoted"] is not None)) is not None:
            where = "without" if match["minus"] else "phrases"
            asked = replace(asked, **{where: (*getattr(asked, where), found)})
    asked = replace(asked, phrases=asked.phrases[:MAX_QUESTION], without=asked.without[:MAX_QUESTION])
    return replace(asked, void=said and asked == replace(NOTHING, void=asked.void))


def marks(question: str) -> tuple[str, ...]:
    """Return what is to be marked where it stands in results: the words as they are compared."""
    asked = read(question)
    texts = [" ".join(_unpaired(each.words)) for each in asked.phrases if each.field in ("", "subject", "people")]
    return tuple(dict.fromkeys(text for text in texts if text))


def _operator(asked: Asked, key: str, value: str, *, minus: bool) -> Asked | None:
    """Take an operator in; None for one that is not known, or says nothing yet ("from:" while it is typed)."""
    if not value:
        return asked
    if key in _FIELDS:
        found = phrase(value, _FIELDS[key])
        where = "without" if minus else "phrases"
        return None if found is None else replace(asked, **{where: (*getattr(asked, where), found)})
    if key in _PARTIES:
        party = Party(_PARTIES[key], value)
        if minus:
            return replace(asked, without_parties=(*asked.without_parties, party))
        words = phrase(value, "people")
        by_index = (words,) if words is not None and value.lower() != ME else ()
        return replace(asked, parties=(*asked.parties, party), phrases=(*asked.phrases, *by_index))
    if minus:
        return None
    if key in _NAMED:
        where = _NAMED[key]
        return replace(asked, **{where: (*getattr(asked, where), value)})
    if key in ("before", "after"):
        first = _first_day(value)
        return None if first is None else replace(asked, **{key: first})
    if key == "in":
        return replace(asked, folder=value.lower()) if value.lower() in FOLDERS else None
    name = f"{key}:{value.lower()}"
    if name in VISIBILITIES:
        return replace(asked, visibility=VISIBILITIES[name])
    if name not in OPERATORS:
        return None
    return replace(asked, filters=asked.filters | {OPERATORS[name]})


def _first_day(value: str) -> date | None:
    """The first day of what a date names: a year, a month or a day."""
    match = _DATE.fullmatch(value)
    if match is None:
        return None
    year, month, day = (int(part) if part else 1 for part in match.groups())
    try:
        return date(year, month, day)
    except ValueError:
        return None


def _unpaired(words: tuple[str, ...]) -> list[str]:
    """Put pairs of Chinese, Japanese and Korean writing together again."""
    out: list[str] = []
    for word in words:
        if out and len(word) <= 2 and not word.isascii() and not out[-1].isascii() and out[-1][-1] == word[0]:
            out[-1] += word[1:]
        else:
            out.append(word)
    return out
