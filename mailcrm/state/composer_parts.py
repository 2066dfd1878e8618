"""What the composer's state is made of: choices, tabs, merge fields, the parting of a draft into text and quote."""

import asyncio
import json
import re
from dataclasses import dataclass
from typing import Any

from mailcrm.services.access import Actor
from mailcrm.services.mail import render
from mailcrm.services.mail.outbox.views import DraftInput
from mailcrm.services.writing import fill

_QUOTE = re.compile(r'<p[^>]*class="mailcrm-attribution"|<blockquote[^>]*class="mailcrm-quote"')
_EMPTY = re.compile(r"(?:<p[^>]*>(?:<br[^>]*>)?</p>\s*)*")
MINIMISED = 3  # drafts at the foot of the page
MOST_HTML = 900_000  # characters; the socket closes at 1,000,000 bytes
MOST_LIST = 100_000  # characters of a list of addresses, as many as are read (outbox/addresses.py)
FIELDS = ("to", "cc", "bcc", "subject")
QUOTE_SHOWN = 200_000  # characters; the whole quote stays on the server


@dataclass(frozen=True)
class Option:
    """What to send from: a mailbox's own address, or an alias ("12:alias@…")."""

    id: str
    label: str


@dataclass(frozen=True)
class Tab:
    """A minimised draft."""

    id: int
    title: str


@dataclass(frozen=True)
class Later:
    """A time that Send later offers."""

    kind: str
    local: str
    when: str


def split_quote(html: str) -> tuple[str, str]:
    """Part a draft into what is written and the quoted original below it.

    The editor would drop the quote's class, and with it the mark that keeps tracking away from a stranger's links.
    """
    found = _QUOTE.search(html)
    written, quote = (html[: found.start()], html[found.start() :]) if found else (html, "")
    return ("" if _EMPTY.fullmatch(written) else written), quote


def quote_page(html: str, *, quoted: bool = True) -> str:
    """Return a quote (or what is not one: in ink) as the page of a frame, "" for none.

    It runs nothing, and loads nothing but the interface's own font.
    """
    if not html.strip():
        return ""
    light, dark = ("#60646c", "#b0b4ba") if quoted else ("#1c2024", "#edeef0")
    style = (
        ":root{color-scheme:light dark}"
        "body{font:13px/20px Inter,system-ui,'Hiragino Sans','Noto Sans JP','Yu Gothic UI',sans-serif;"
        "margin:0;overflow-wrap:anywhere}"
        f"body{{color:{light}}}"
        "blockquote{margin:4px 0;padding-inline-start:10px;border-inline-start:2px solid #b9bbc6}"
        ".mc-missing{padding-inline:3px;border-radius:4px;background:#fff7c2;color:#6b4200}"
        f"@media(prefers-color-scheme:dark){{body{{color:{dark}}}.mc-missing{{background:#302008;color:#ffca16}}}}"
    )
    return (
        "<!doctype html><meta charset=utf-8><meta http-equiv=Content-Security-Policy "
        "content=\"default-src 'none'; style-src 'unsafe-inline'; font-src 'self'; img-src data:\">"
        f"<style>{render.FONTS}{style}</style><body dir=auto>{html[:QUOTE_SHOWN]}"
    )


def script_text(text: str) -> str:
    """Return a text as a literal that neither a page nor Reflex reads anything into."""
    return json.dumps(text).replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def entered_of(view: Any, field: str, value: str) -> DraftInput:
    """Return a stored draft as the composer would save it, with another text in one field."""
    said = {name: getattr(view, name) for name in DraftInput.__dataclass_fields__}
    said[field] = value
    return DraftInput(**said)


async def fields_of(actor: Actor, draft_id: int) -> list[dict[str, str]]:
    """Return the merge fields that the editor offers, each with its value for the draft's recipient."""
    offered = await asyncio.to_thread(fill.fields, actor)
    known = await asyncio.to_thread(fill.known, actor, draft_id)
    return [
        {"name": each.field, "label": each.label, "group": each.group, "value": known.get(each.field, "")}
        for each in offered
    ]
