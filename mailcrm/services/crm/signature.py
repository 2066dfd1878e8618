"""Reads the signature at the end of an email: phones, job title and organization of who wrote it. Pure.

Looks at the new text only (never at quoted text: that is somebody else's signature), at its last lines, and only at
short ones: work is linear in what is looked at. It guesses for a form that a person corrects; when in doubt it finds
nothing. German, English and Japanese conventions.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass

from mailcrm.services.mail.parse.quoting import split_quoted

_LAST = 25  # lines of a signature
_LONGEST = 120  # characters of a line in one
_MARKS = ("--", "__", "==", "**", "──", "━━", "－－", "＝＝", "～～", "~~", "□■", "■□", "◆◇", "☆★", "··")
_CLOSINGS = re.compile(
    r"(?:mit (?:freundlichen|besten|herzlichen) grüßen|mit freundlichem gruß|(?:viele|beste|freundliche|liebe|herzliche)"
    r" grüße|(?:kind|best|warm|many)? ?regards|sincerely(?: yours)?|yours (?:sincerely|faithfully|truly)|best wishes"
    r"|all the best|cheers|many thanks|thanks|thank you|best|mfg|vg|lg|敬具|以上|(?:何卒|どうぞ)?"
    r"よろしくお願い(?:いた|致)?し(?:ます|ます))[,.!。、 ]*",
    re.IGNORECASE,
)
_PHONE_LABEL = re.compile(
    r"^(?:t|m|p|tel(?:efon|ephone|\.)?|phone|mobil(?:e|telefon)?|mob\.?|cell|handy|direct|durchwahl|office|büro"
    r"|電話(?:番号)?|携帯(?:電話)?|直通|代表)(?: ?\((?:direct|mobile|mobil|office|直通|代表|携帯)\))? *[.:：｜|/ ] *",
    re.IGNORECASE,
)
_FAX = re.compile(r"^(?:f|fax|telefax|facsimile|ファックス|ファクス)\b *[.:：]?", re.IGNORECASE)
_NUMBER = re.compile(r"\+?[(\d][\d ()./\-–\u2010\u2011]{5,28}\d")
_COMPANY = re.compile(
    r"\b(?:gmbh(?: & co\.? kgaa?)?|ag|kg|ohg|ug|e\.? ?v\.|e\.? ?k\.|se|inc|llc|ltd|limited|plc|corp|corporation|company"
    r"|co\.,? ?ltd|oyj?|ab|a/s|as|aps|b\.?v|n\.?v|s\.?a|s\.?a\.?s|sarl|s\.?r\.?l|s\.?p\.?a|s\.?l|sp\. z o\.? ?o|kk|k\.k)\b"
    r"\.?|株式会社|有限会社|合同会社|合資会社|一般社団法人|財団法人|学校法人|医療法人|（株）|\(株\)|㈱",
    re.IGNORECASE,
)
_COMPANY_LABEL = re.compile(r"^(?:会社名?|社名|company|firma|organi[sz]ation)\s*[:：]\s*", re.IGNORECASE)
_TITLE_LABEL = re.compile(r"^(?:役職|職位|title|position|funktion)\s*[:：]\s*", re.IGNORECASE)
_TITLE = re.compile(
    r"\b(?:manager(?:in)?|director|head of|leiter(?:in)?|leitung|geschäftsführer(?:in)?|ceo|cto|cfo|coo|vp|president"
    r"|engineer|ingenieur(?:in)?|sales|vertrieb|einkauf|einkäufer(?:in)?|consultant|berater(?:in)?|assistant"
    r"|assistenz|officer|founder|partner|developer|entwickler(?:in)?|designer|analyst|specialist|coordinator"
    r"|referent(?:in)?|vorstand|prokurist(?:in)?|architect|professor|account executive|buyer|secretary)\b"
    r"|部長|課長|係長|主任|次長|社長|取締役|室長|所長|店長|マネージャー|マネジャー|リーダー|ディレクター|エンジニア",
    re.IGNORECASE,
)
_DEPARTMENT = re.compile(r"(?:部|課|室|本部|事業部|グループ|センター|支店|営業所)$")
_NOT_A_FACT = re.compile(
    r"[@＠]|https?:|www\.|〒|\b(?:handelsregister|hrb|ust-?id|amtsgericht|registered)\b", re.IGNORECASE
)
_LEGAL = re.compile(
    r"^(?:geschäftsführ(?:er|ung)|vorstand|sitz|managing directors?|ceo) ?(?:in)? ?[:：]", re.IGNORECASE
)


@dataclass(frozen=True, slots=True)
class Signature:
    """What a signature says of who wrote the email; "" and () where it says nothing."""

    name: str = ""
    phones: tuple[str, ...] = ()
    job_title: str = ""
    organization: str = ""


def read(text: str, name: str) -> Signature:
    """Return what the signature below a text says; `name` is who wrote it, from the header."""
    lines = _block(text, name)
    phones: list[str] = []
    title = department = company = ""
    for line in lines:
        if _FAX.match(line):
            continue
        phones += [each for each in _phones(line) if each not in phones]
        if _NOT_A_FACT.search(line) or _LEGAL.match(line) or _PHONE_LABEL.match(line) or _same(line, name):
            continue
        labelled = _COMPANY_LABEL.sub("", line)
        if not company and (labelled != line or _COMPANY.search(line)):
            company, line = _company(labelled)
        if not title and line and (_TITLE_LABEL.match(line) or _TITLE.search(line)) and len(line) <= 80:
            title = _title(line, name)
            continue
        if line and not department and _DEPARTMENT.search(line) and len(line) <= 40:
            department = line
    if department and title and department not in title:
        title = f"{department} {title}"
    return Signature(_name(lines, name), tuple(phones[:3]), (title or department)[:200], company[:200])


def _block(text: str, name: str) -> list[str]:
    """The lines of the signature: what follows the sign for one, a closing, or the writer's name on a line alone."""
    new, _ = split_quoted(text[-20_000:] if len(text) > 20_000 else text)
    lines = [
        unicodedata.normalize("NFKC", line[: _LONGEST * 3]).strip(" \t*|│・\u200b\xa0") for line in new.split("\n")
    ]
    while lines and not lines[-1]:
        lines.pop()
    tail = lines[-_LAST:]
    if len(lines) == len(tail) and len(tail) < 2:
        return []
    start = -1
    for at, line in enumerate(tail):
        ruled = line[:2] in _MARKS and not any(letter.isalnum() for letter in line)
        if _CLOSINGS.fullmatch(line) or (ruled and at + 1 < len(tail) and start < 0):
            start = at + 1
        elif start < 0 and at > 0 and _same(line, name):
            start = at
    if start < 0:
        return []
    return [line for line in tail[start:] if line and len(line) <= _LONGEST and any(map(str.isalnum, line))]


def _phones(line: str) -> list[str]:
    """Numbers with a label, or written internationally; a number without either may be anything."""
    found: list[str] = []
    for part in re.split(r"[|｜•·]|  +|\t|[,;、] ?(?=[^\d])|(?<=\d) ?/ ?(?=[A-Za-z電携F])", line):
        piece = part.strip()
        if _FAX.match(piece):
            continue
        label = _PHONE_LABEL.match(piece)
        rest = piece[label.end() :] if label else piece
        number = _NUMBER.match(rest.strip())
        if number is None or (label is None and not rest.strip().startswith("+")):
            continue
        digits = sum(map(str.isdigit, number[0]))
        if 6 <= digits <= 15:  # E.164: at most 15
            found.append(" ".join(number[0].split()))
    return found


def _company(line: str) -> tuple[str, str]:
    """The company, and what else stands in its line."""
    first, *others = (part.strip() for part in re.split(r" ?[|｜•·] ?|  +|, (?=[A-ZÄÖÜ])", line))
    for at, part in enumerate((first, *others)):
        if _COMPANY.search(part):
            japanese = re.match(r"(\S*(?:株式会社|有限会社|合同会社)\S*) (\S.*)", part)
            if japanese:
                return japanese[1], japanese[2]
            rest = [each for place, each in enumerate((first, *others)) if place != at]
            return part, rest[0] if rest else ""
    return first, ""


def _title(line: str, name: str) -> str:
    text = _TITLE_LABEL.sub("", line)
    for part in re.split(r" ?[|｜•·] ?|  +", text):
        if _TITLE.search(part) or part == text:
            text = part
            break
    own = re.escape(name.strip())
    if own:
        text = re.sub(rf"^{own}[,;:\s\-–]+|[,;:\s\-–]+{own}$", "", text, flags=re.IGNORECASE)
    return text.strip(" ,;")


def _name(lines: list[str], name: str) -> str:
    """The writer's name as they sign it, where the header has only an address or a part of it."""
    known = {word for word in name.casefold().split() if len(word) > 1}
    for line in lines[:4]:
        words = line.casefold().split()
        if known and known <= set(words) and 2 <= len(words) <= 4 and not _TITLE.search(line):
            return line
    return ""


def _same(line: str, name: str) -> bool:
    wanted = name.casefold().split()
    return len(wanted) > 1 and line.casefold().replace(",", "").split() == wanted
