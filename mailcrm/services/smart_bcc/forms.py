"""The block of header lines that mail programs put above a message they forward: what it is called, and where it stands.

Pure, and linear: each line is looked at a fixed number of times. Gmail, Outlook (desktop, web, phone), Apple Mail and
Thunderbird, in English, Japanese, German, French and Spanish; other programs that write like one of them are read too.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

_KEYS = {
    "from": "from von de remitente absender 差出人 送信者 差出人（from） от",
    "date": "date sent datum gesendet envoyé enviado fecha date（日時） 日付 送信日時 日時 送信日 enviado_el envoyé_le",
    "subject": "subject betreff objet asunto 件名",
    "to": "to an à para destinataire 宛先",
    "cc": "cc kopie copie ccn",
    "reply_to": "reply-to antwort_an répondre_à responder_a 返信先",
}
_NAMES = {name.replace("_", " "): key for key, names in _KEYS.items() for name in names.split()}
_LINE = re.compile(r"\s{0,8}\*?\s{0,2}([^:：\n]{1,24}?)\s{0,2}\*?\s{0,2}[:：]\s*\*?\s?(.*)")
_ADDRESS = re.compile(r"[^\s<>\[\]()\"',;:]{1,64}@[^\s<>\[\]()\"',;:]{1,253}")
_SEPARATOR = (
    "forwarded message", "begin forwarded message", "original message", "forwarded by", "weitergeleitete nachricht",
    "anfang der weitergeleiteten", "ursprüngliche nachricht", "original-nachricht", "message transféré",
    "début du message transféré", "message d'origine", "message d’origine", "mensaje reenviado", "mensaje original",
    "inicio del mensaje reenviado", "転送メッセージ", "転送されたメッセージ", "転送された", "元のメッセージ", "ここから転送",
)  # fmt: skip
MOST_LINES = 2000  # of the user's own words above a forward
_MOST_BLOCK = 40  # lines of one block: a To with many people is wrapped


@dataclass(frozen=True, slots=True)
class Block:
    """A block of header lines: their values by name, where it begins (with the line above that announces it), ends."""

    fields: dict[str, str]
    start: int
    end: int
    announced: bool


def find_block(lines: list[str]) -> Block | None:
    """Return the first block that says whose message follows; None where there is none.

    Two of sender, date and subject are needed besides each other, and the sender's address.
    """
    for i in range(min(len(lines), MOST_LINES)):
        read = _field(lines[i])
        if read is None:
            continue
        block = _read(lines, i)
        if block is not None:
            return block
    return None


def bare(line: str) -> str:
    """Return a line without the marks of a quote, of emphasis and of direction."""
    text = re.sub(r"^[\s>＞|]{0,12}", "", line[:2000])
    return text.replace("\xa0", " ").replace("\u200e", "").replace("\t", " ").strip().strip("\ufeff")


def is_separator(line: str) -> bool:
    """Whether a line announces a forwarded message: "---------- Forwarded message ---------", a ruled line."""
    text = bare(line)
    if not text or len(text) > 120:
        return False
    plain = text.strip("-_=*＿ー－＝─ :：.").lower()
    return (not plain and len(text) >= 5) or any(plain.startswith(each) for each in _SEPARATOR)


def _field(line: str) -> tuple[str, str] | None:
    text = bare(line)
    found = _LINE.match(text) if text else None
    if found is None:
        return None
    key = _NAMES.get(" ".join(found[1].replace("*", "").lower().split()))
    return (key, found[2].replace("*", "").strip()) if key else None


def _read(lines: list[str], start: int) -> Block | None:
    fields: dict[str, str] = {}
    last, at = "", start
    while at < len(lines) and at - start < _MOST_BLOCK:
        text = bare(lines[at])
        read = _field(lines[at])
        if read is not None and read[0] not in fields:
            last, fields[read[0]] = read[0], read[1]
        elif read is not None:
            break  # the message that follows begins with a block of its own
        elif not text:
            if not (last and fields[last] == "" and at + 1 < len(lines) and not _blank_then_text(lines, at)):
                following = _next_filled(lines, at)
                more = _field(lines[following]) if following - at <= 1 and following < len(lines) else None
                if more is None or more[0] in fields:  # tables turned to text have an empty line between rows
                    break
        elif last and (fields[last] == "" or (last in ("to", "cc") and _continues(fields[last], text))):
            fields[last] = f"{fields[last]} {text}".strip()
        elif last == "subject" and lines[at][:1] in (" ", "\t"):
            fields[last] = f"{fields[last]} {text}"
        else:
            other = _unknown_field(text)
            if not other:
                break
        at += 1
    if not _ADDRESS.search(fields.get("from", "")) or len(fields.keys() & {"date", "subject"}) < 1 or len(fields) < 3:
        return None
    before = start
    while before > 0 and not bare(lines[before - 1]) and start - before < 3:
        before -= 1
    announced = before > 0 and is_separator(lines[before - 1])
    return Block(fields, before - 1 if announced else start, at, announced)


def _unknown_field(text: str) -> bool:
    """A short word, a colon, something short: "Importance: High" inside a block."""
    name, colon, value = text.partition(":")
    return bool(colon) and len(name) <= 20 and " " not in name.strip() and 0 < len(value.strip()) <= 60


def _continues(value: str, text: str) -> bool:
    return value.rstrip().endswith((",", ";", "、")) or (bool(_ADDRESS.search(text)) and len(text) < 400)


def _blank_then_text(lines: list[str], at: int) -> bool:
    following = _next_filled(lines, at)
    return following >= len(lines) or _field(lines[following]) is not None


def _next_filled(lines: list[str], at: int) -> int:
    i = at
    while i < len(lines) and i - at < 4 and not bare(lines[i]):
        i += 1
    return i
