"""Puts the pixel and the tracked links into an HTML document (T01). Pure, one pass, every other byte stays as it is.

Only http and https links of the new text: never mailto, tel or anchors, never a link to unsubscribe, never one that its
writer marked with `data-track="off"` (the mark is taken off), never anything in the quoted part
(`<blockquote class="mailcrm-quote">`, or a blockquote marked `type="cite"`).
Tags are told from text like browsers do (HTML, 13.2.5 "Tokenization"); what they would not take for a link isn't one.
"""

from __future__ import annotations

import html as entities
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from html.entities import html5

MAX_LINKS = 1000  # of one message; tokens have room for 65,535
CLIPPED = 90_000  # characters; Gmail cuts a message at 102 KB and never fetches what stands behind
OFF = "data-track"

_SPACE = "\t\n\f\r "
_ATTRIBUTE = re.compile(
    r"""[\t\n\f\r /]*(?P<name>=?[^\t\n\f\r />=]+|=)"""
    r"""(?P<is>[\t\n\f\r ]*=[\t\n\f\r ]*)?(?(is)(?P<value>"[^"]*"|'[^']*'|(?!["'])[^\t\n\f\r >]*))"""
)
_NAME = re.compile(r"</?([a-zA-Z][^\t\n\f\r />]*)")
_COMMENT_END = re.compile(r"--!?>")
_WEB = re.compile(r"https?://[^\s/?#\\]", re.IGNORECASE)
_REFERENCE = re.compile(r"&(?:#[0-9]+;?|#[xX][0-9a-fA-F]+;?|([a-zA-Z][a-zA-Z0-9]*;?)(?P<then>=?))")
_QUOTE = re.compile(
    r"""\bmailcrm-quote\b|type\s*=\s*["']?cite\b|\bgmail_quote\b|data-mailcrm-quote|\bmoz-cite\b""", re.IGNORECASE
)
_ATTRIBUTION = "mailcrm-attribution"
_UNSUBSCRIBE = re.compile(
    r"unsubscri|opt[-_ ]?out|abmelden|abbestellen|d[eé]sabonn|d[eé]sinscri|darse de baja|cancelar suscripci|"
    r"配信停止|配信を停止|購読解除|退会|退订|取消订阅|إلغاء الاشتراك|הסר",
    re.IGNORECASE,
)
_RAW_TEXT = frozenset(("script", "style", "title", "textarea", "xmp", "iframe", "noembed", "noframes"))
_RAW_END = {name: re.compile(rf"</{name}(?=[\t\n\f\r />])", re.IGNORECASE) for name in _RAW_TEXT}
_MAX_LINK_TEXT = 200  # characters kept to say which link it was
#: Takes no room, whatever the message's styles say: its box with margins is 0 x 0, beside the text.
_PIXEL_STYLE = (
    "float:left!important;width:1px!important;height:1px!important;min-width:0!important;min-height:0!important;"
    "max-width:1px!important;margin:-1px 0 0 -1px!important;padding:0!important;border:0!important"
)


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


@dataclass(frozen=True)
class _Attribute:
    """An attribute where it stands: `start` is in front of the space before it, `at` to `end` is its value."""

    name: str
    value: str
    start: int
    at: int
    end: int


def rewrite(document: str, *, pixel: str | None, link: Callable[[int], str] | None) -> Rewritten:
    """Return the document with the pixel's URL as an image and `link(position)` in place of each destination.

    None leaves the one or the other out.
    """
    out: list[str] = []
    links: list[Link] = []
    quote, depth = "", 0  # the quoted part's element, and how many of its name are open
    body, end_of_text, body_end = -1, -1, -1  # indices into `out`: behind <body>, before the quote, before </body>
    for text, tag, at in _tags(document):
        out.append(text)
        name = _name(tag)
        if quote:
            depth += (name == quote) - (name == f"/{quote}")
            quote = quote if depth else ""
        elif name in ("blockquote", "div") and _QUOTE.search(tag):
            quote, depth = name, 1
            end_of_text = len(out) if end_of_text < 0 else end_of_text
        elif name == "p" and _ATTRIBUTION in tag:
            end_of_text = len(out) if end_of_text < 0 else end_of_text
        elif name == "/body":
            body_end = len(out)
        elif name in ("a", "area"):
            tag = _followed(document, tag, at, links, link)
        out.append(tag)
        if name == "body" and body < 0:
            body = len(out)
    if pixel is not None:
        _place(out, pixel, body, end_of_text, body_end)
    return Rewritten("".join(out), tuple(links))


def rewrite_text(text: str, links: Iterable[Link], link: Callable[[int], str]) -> str:
    """Return the plain text of the same message with `link(position)` in place of the destinations in `links`.

    Only outside what is quoted with ">", and only where a destination stands as often as it was tracked in the HTML:
    else one of them is a link that must stay as it is.
    """
    by_url: dict[str, list[int]] = {}
    for each in links:
        by_url.setdefault(each.url, []).append(each.position)
    if not by_url:
        return text
    longest_first = "|".join(map(re.escape, sorted(by_url, key=len, reverse=True)))
    standing = re.compile(rf"(?<![^\s<(])(?:{longest_first})(?=[.,;:!?)\]]*(?:[\s>]|$))")
    lines = text.splitlines(keepends=True)
    own = [not line.startswith(">") for line in lines]
    found = [match[0] for line, is_own in zip(lines, own, strict=True) if is_own for match in standing.finditer(line)]
    left = {url: iter(positions) for url, positions in by_url.items() if found.count(url) == len(positions)}

    def one(match: re.Match[str]) -> str:
        return link(next(left[match[0]])) if match[0] in left else match[0]

    return "".join(standing.sub(one, line) if is_own else line for line, is_own in zip(lines, own, strict=True))


def without_marks(document: str) -> str:
    """Return the document without `data-track` on its links: the mark is between the writer and us."""
    if OFF not in document:
        return document
    return "".join(
        text + (_unmarked(tag)[0] if _name(tag) in ("a", "area") else tag) for text, tag, _ in _tags(document)
    )


def _place(out: list[str], pixel: str, body: int, end_of_text: int, body_end: int) -> None:
    """Put the image at the end of what is new: mail programs fold quotes away, and cut long messages."""
    image = f'<img src="{entities.escape(pixel)}" width="1" height="1" alt="" style="{_PIXEL_STYLE}">'
    index = end_of_text if end_of_text >= 0 else body_end if body_end >= 0 else len(out)
    if sum(map(len, out[:index])) > CLIPPED:
        index = max(body, 0)
    out.insert(index, image)


def _followed(document: str, tag: str, at: int, links: list[Link], link: Callable[[int], str] | None) -> str:
    """Return a link's tag with another destination where it is to be followed; without its mark in any case."""
    tag, is_off = _unmarked(tag)
    href = next((each for each in _attributes(tag) if each.name == "href"), None)
    if href is None or is_off or link is None or len(links) >= MAX_LINKS:
        return tag
    url = re.sub(r"[\t\n\r]", "", attribute_text(href.value).strip("".join(map(chr, range(0x21)))))
    if not _WEB.match(url):
        return tag
    inner = _until_close(document, at)
    if _UNSUBSCRIBE.search(url) or _UNSUBSCRIBE.search(entities.unescape(inner)) or _UNSUBSCRIBE.search(tag):
        return tag
    position = len(links) + 1
    links.append(Link(position, url, _visible(inner)[:_MAX_LINK_TEXT]))
    mark = tag[href.at] if tag[href.at] in "\"'" else '"'
    return f"{tag[: href.at]}{mark}{entities.escape(link(position))}{mark}{tag[href.end :]}"


def _unmarked(tag: str) -> tuple[str, bool]:
    """Return a tag without the mark, and whether it said "off"."""
    if OFF not in tag.lower():
        return tag, False
    found = [each for each in _attributes(tag) if each.name == OFF]
    for each in reversed(found):
        tag = tag[: each.start] + tag[each.end :]
    return tag, any(each.value.strip().lower() == "off" for each in found)


def attribute_text(value: str) -> str:
    """Return an attribute's value as browsers read it: there `&copy=1` is no © (HTML, 13.2.5.73)."""

    def one(match: re.Match[str]) -> str:
        name = match[1]
        if name is None:
            return entities.unescape(match[0])
        if name not in html5 or (match["then"] and not name.endswith(";")):
            return match[0]
        return html5[name] + match["then"]

    return _REFERENCE.sub(one, value)


def _tags(document: str) -> Iterator[tuple[str, str, int]]:
    """Cut a document into (what is no tag, a tag, where that ends); together they are the document.

    A comment, the content of raw text elements, and a tag that never ends are no tags; the last tag may be "".
    """
    text = at = 0
    while (start := document.find("<", at)) >= 0:
        following = document[start + 1 : start + 2]
        if following in ("!", "?") or (following == "/" and not document[start + 2 : start + 3].isalpha()):
            at = _comment_end(document, start)
            if at < 0:
                break
            continue
        if not (following.isascii() and following.isalpha()) and following != "/":
            at = start + 1  # a bare `<` in text
            continue
        end = _tag_end(document, start)
        if end < 0:
            break
        tag = document[start:end]
        yield document[text:start], tag, end
        text = at = end
        name = _name(tag)
        if name == "plaintext":
            break
        if name in _RAW_TEXT:
            close = _RAW_END[name].search(document, end)
            if close is None:
                break
            at = close.start()
    yield document[text:], "", len(document)


def _comment_end(document: str, start: int) -> int:
    if not document.startswith("<!--", start):
        return document.find(">", start) + 1 or -1
    if document.startswith((">", "->"), start + 4):
        return document.index(">", start) + 1
    match = _COMMENT_END.search(document, start + 4)
    return match.end() if match else -1


def _tag_end(document: str, start: int) -> int:
    """Return the index behind the tag that begins at `start`, -1 when it never ends."""
    name = _NAME.match(document, start)
    at = name.end() if name else start + 1
    while True:
        while document[at : at + 1] in _SPACE_OR_SLASH:
            at += 1
        if document[at : at + 1] == ">":
            return at + 1
        match = _ATTRIBUTE.match(document, at)
        if match is None or match.end() == at:
            return -1
        at = match.end()


_SPACE_OR_SLASH = frozenset(f"{_SPACE}/")


def _attributes(tag: str) -> Iterator[_Attribute]:
    """The attributes of a start tag; of two with one name the first counts, so callers take the first."""
    name = _NAME.match(tag)
    at = name.end() if name else len(tag)
    while (match := _ATTRIBUTE.match(tag, at)) is not None and match.end() > at:
        value = match["value"] or ""
        begin = match.start("value") if match["value"] is not None else match.end()
        bare = value[1:-1] if value[:1] in ('"', "'") else value
        yield _Attribute(match["name"].lower(), bare, at, begin, match.end())
        at = match.end()


def _name(tag: str) -> str:
    match = _NAME.match(tag)
    return ("/" if tag[1] == "/" else "") + match[1].lower() if match else ""


def _until_close(document: str, at: int) -> str:
    """What stands in a link: up to its end tag, within a window, so that unclosed links stay cheap."""
    window = document[at : at + 2000]
    close = window.lower().find("</a")
    return window[:close] if close >= 0 else window[:200]


def _visible(inner: str) -> str:
    return " ".join(entities.unescape(re.sub(r"<[^<>]*>", " ", inner)).split())
