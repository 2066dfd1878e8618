"""mailto: links read into what a composer begins with (RFC 6068).

Pure. Only to, cc, bcc, subject and body count: a stranger's link names no file (attach=), no sender and no other header.
Does not judge addresses; the composer marks wrong ones.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import unquote

from mailcrm.services.mail.outbox.addresses import MAX_RECIPIENTS, clean

MAX_LINK = 32_000  # characters; browsers stop earlier
MAX_BODY = 16_000
MAX_SUBJECT = 998

_BRACES = re.compile(r"\{(?=\{)")


@dataclass(frozen=True)
class Mailto:
    """What a link asks for: lists of addresses as typed, one line of subject, lines of text."""

    to: str = ""
    cc: str = ""
    bcc: str = ""
    subject: str = ""
    body: str = ""


def parse_mailto(link: str) -> Mailto:
    """Read a link; never raises. What is no mailto: link is read as an address."""
    text = link.strip()[:MAX_LINK]
    if text[:7].lower() == "mailto:":
        text = text[7:]
    path, _, query = text.partition("?")
    lists: dict[str, list[str]] = {"to": [], "cc": [], "bcc": []}
    subject = body = ""
    lists["to"] += [_line(part) for part in path.split(",")]
    for pair in query.replace("&amp;", "&").split("&")[:200]:
        name, _, value = pair.partition("=")
        name = _decoded(name).strip().lower()
        if name in lists:
            lists[name] += [_line(part) for part in value.split(",")]
        elif name == "subject" and not subject:
            subject = _line(value)[:MAX_SUBJECT]
        elif name == "body":
            body = "\n".join(each for each in (body, _text(value)) if each)[:MAX_BODY]
    return Mailto(**{name: _joined(found) for name, found in lists.items()}, subject=subject, body=body)


def _joined(found: list[str]) -> str:
    return ", ".join([each for each in found if each][:MAX_RECIPIENTS])


def _decoded(text: str) -> str:
    return unquote(text, errors="replace")  # "+" stays: it is part of addresses (RFC 6068 5)


def _line(text: str) -> str:
    # a line that is broken here would be a header of the link's own
    return parted(clean(_decoded(text).replace("\r", " ").replace("\n", " ")))


def _text(text: str) -> str:
    lines = _decoded(text).replace("\r\n", "\n").replace("\r", "\n").split("\n")
    return "\n".join(parted(clean(line)) for line in lines).strip("\n")


def parted(text: str) -> str:
    """Return text with double braces parted: a stranger's `{{ deal.value }}` must not be filled in (M06)."""
    return _BRACES.sub("{ ", text)
