"""Puts the pixel and the tracked links into an HTML document (T01). Pure, one pass, every other byte stays as it is.

Only http and https links of the new text: never mailto, tel or anchors, never a link to unsubscribe, never anything in
the quoted part (`<blockquote class="mailcrm-quote">`, or a blockquote marked `type="cite"`).
"""

from __future__ import annotations

import html as entities
import re
from collections.abc import Callable
from dataclasses import dataclass

MAX_LINKS = 1000  # of one message; tokens have room for 65,535
_HREF = re.compile(r"""(\shref\s*=\s*)("[^"]*"|'[^']*'|[^\s"'>]+)""", re.IGNORECASE)
_WEB = re.compile(r"https?://[^\s/?#]", re.IGNORECASE)
_QUOTE = re.compile(r"""\bmailcrm-quote\b|type\s*=\s*["']?cite\b|\bgmail_quote\b|data-mailcrm-quote""", re.IGNORECASE)
_UNSUBSCRIBE = re.compile(
    r"unsubscri|opt[-_ ]?out|abmelden|abbestellen|d[eé]sabonn|d[eé]sinscri|darse de baja|cancelar suscripci|"
    r"配信停止|配信を停止|購読解除|退会|退订|取消订阅|إلغاء الاشتراك|הסר",
    re.IGNORECASE,
)
_RAW_TEXT = ("script", "style", "title", "textarea")
_MAX_LINK_TEXT = 200  # characters kept to say which link it was


@dataclass(frozen=True)
class Link:
    """A link that was replaced: its position (from 1), destination and visible text."""

    position: int
    url: str
    text: str


@dataclass(frozen=True)
class Rewritten:
    """The tracked document and the destinations to keep."""

    html: str
    links: tuple[Link, ...]


def rewrite(document: str, *, pixel: str | None, link: Callable[[int], str] | None) -> Rewritten:
    """Return the document with the pixel's URL as an image and `link(position)` in place of each destination.

    None leaves the one or the other out.
    """
    out: list[str] = []
    links: list[Link] = []
    depth = 0  # of blockquotes inside the quoted part, itself included
    at = 0
    body_end = -1  # index into `out` of the last </body>
    while (start := document.find("<", at)) >= 0:
        out.append(document[at:start])
        end = _tag_end(document, start)
        if end < 0:
            at = start
            break
        tag = document[start:end]
        name = _name(tag)
        if name == "blockquote":
            depth += 1 if depth or _QUOTE.search(tag) else 0
        elif name == "/blockquote":
            depth -= 1 if depth else 0
        elif name == "/body":
            body_end = len(out)
        elif name == "a" and not depth and link is not None and len(links) < MAX_LINKS:
            text = _text_until_close(document, end)
            tag = _with_link(tag, text, links, link)
        elif name in _RAW_TEXT:
            close = document.lower().find(f"</{name}", end)
            end = close if close >= 0 else len(document)
            tag = document[start:end]
        out.append(tag)
        at = end
    out.append(document[at:])
    if pixel is not None:
        image = (
            f'<img src="{entities.escape(pixel)}" width="1" height="1" alt="" style="border:0;width:1px;height:1px">'
        )
        out.insert(body_end if body_end >= 0 else len(out), image)
    return Rewritten("".join(out), tuple(links))


def _with_link(tag: str, text: str, links: list[Link], link: Callable[[int], str]) -> str:
    match = _HREF.search(tag)
    if match is None:
        return tag
    value = match[2][1:-1] if match[2][:1] in "\"'" else match[2]
    url = entities.unescape(value).strip()
    if not _WEB.match(url) or _UNSUBSCRIBE.search(url) or _UNSUBSCRIBE.search(text):
        return tag
    position = len(links) + 1
    links.append(Link(position, url, text[:_MAX_LINK_TEXT]))
    return f'{tag[: match.start()]}{match[1]}"{entities.escape(link(position))}"{tag[match.end() :]}'


def _tag_end(document: str, start: int) -> int:
    """Return the index behind the tag or comment that begins at `start`, -1 when it never ends."""
    if document.startswith("<!--", start):
        close = document.find("-->", start + 4)
        return close + 3 if close >= 0 else -1
    if not (document[start + 1 : start + 2].isalpha() or document[start + 1 : start + 2] in ("/", "!", "?")):
        return start + 1  # a bare `<` in text
    at = start + 1
    while at < len(document):
        char = document[at]
        if char == ">":
            return at + 1
        if char in "\"'":
            at = document.find(char, at + 1)
            if at < 0:
                return -1
        at += 1
    return -1


def _name(tag: str) -> str:
    match = re.match(r"<(/?[a-zA-Z][a-zA-Z0-9]*)", tag)
    return match[1].lower() if match else ""


def _text_until_close(document: str, at: int) -> str:
    """The visible text of a link: up to its end tag, within a window, so that unclosed links stay cheap."""
    window = document[at : at + 2000]
    close = window.lower().find("</a")
    inner = window[:close] if close >= 0 else window[:200]
    return " ".join(entities.unescape(re.sub(r"<[^<>]*>", " ", inner)).split())
