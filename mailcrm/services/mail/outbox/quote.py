"""The quoted original in a reply or a forward, its attribution line, and the subject. No database, no clock.

The quote is made of the original's text, so nothing of a stranger's HTML gets into the composer or on to the next
recipient. It sits in `<blockquote class="mailcrm-quote">`: tracking leaves it alone.
"""

from __future__ import annotations

import re
from datetime import datetime, tzinfo

from babel.dates import format_datetime

from mailcrm.services.i18n import gettext
from mailcrm.services.mail.outbox.addresses import clean, format_addresses
from mailcrm.services.mail.outbox.html import QUOTE_CLASS, escape
from mailcrm.services.mail.parse.values import ParsedMessage

MAX_LINES = 3000
_PAUSE = re.compile(r"\n(?:[^\S\n]*\n)+")
MAX_QUOTE = 100_000  # characters; a longer original is cut, the whole of it stays in the thread
_PREFIXES = re.compile(
    r"^\s*(?:(?:re|aw|sv|vs|antw|odp|ref|返信|回复|回覆|答复)\s*(?:\[\d+\])?\s*[:：]\s*)+", re.IGNORECASE
)
_FORWARDS = re.compile(r"^\s*(?:(?:fwd?|wg|tr|転送|转发|轉寄)\s*[:：]\s*)+", re.IGNORECASE)


def reply_subject(subject: str) -> str:
    """Return the subject with exactly one `Re: `."""
    return f"Re: {_PREFIXES.sub('', clean(subject))}".strip()


def forward_subject(subject: str) -> str:
    """Return the subject with exactly one `Fwd: `."""
    return f"Fwd: {_FORWARDS.sub('', clean(subject))}".strip()


def quote_reply(parsed: ParsedMessage, at: datetime, *, language: str, zone: tzinfo) -> str:
    """Return an empty paragraph to write in, the attribution line and the quoted original."""
    who = parsed.from_[0].name or parsed.from_[0].address if parsed.from_ else ""
    line = gettext(language, "On {when}, {name} wrote:", when=_when(at, language, zone), name=clean(who))
    return f'<p dir="auto"><br></p><p dir="auto" class="mailcrm-attribution">{escape(line)}</p>{_block(parsed.text)}'


def quote_forward(parsed: ParsedMessage, at: datetime, *, language: str, zone: tzinfo) -> str:
    """Return an empty paragraph to write in and the original under its main headers."""
    pairs = [
        (gettext(language, "From"), _people(parsed.from_)),
        (gettext(language, "Date"), _when(at, language, zone)),
        (gettext(language, "Subject"), clean(parsed.subject)),
        (gettext(language, "To"), _people(parsed.to)),
        (gettext(language, "Cc"), _people(parsed.cc)),
    ]
    head = "".join(f"{escape(name)}: {escape(value)}<br>" for name, value in pairs if value)
    title = escape(gettext(language, "Forwarded email"))
    return (
        '<p dir="auto"><br></p>'
        f'<p dir="auto" class="mailcrm-attribution">---------- {title} ----------<br>{head}</p>{_block(parsed.text)}'
    )


def _block(text: str) -> str:
    kept = "\n".join(text[:MAX_QUOTE].splitlines()[:MAX_LINES]).rstrip()
    # several empty lines are one pause: a paragraph has its own distance to the next
    parts = (part.split("\n") for part in _PAUSE.split(kept.strip("\n")))
    text = "".join(f'<p dir="auto">{"<br>".join(map(escape, lines)) or "<br>"}</p>' for lines in parts)
    return f'<blockquote class="{QUOTE_CLASS}">{text}</blockquote>'


def _people(addresses: tuple[object, ...]) -> str:
    return clean(format_addresses([(a.name, a.address) for a in addresses[:50]]))  # type: ignore[attr-defined]


def _when(at: datetime, language: str, zone: tzinfo) -> str:
    return format_datetime(
        at.astimezone(zone), "d MMM y, HH:mm" if language != "ja" else "y年M月d日 H:mm", locale=language
    )
