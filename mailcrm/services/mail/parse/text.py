"""Text for reading: of HTML, for the list's snippet. What is searched for is in search/text.py.

`text_of_html` is an own linear scanner: tree builders are quadratic on unclosed
elements (100,000 `<div>` take lexbor 14 s), and this runs on every message in sync.
Does not clean HTML for display (`html.py`) and does not find quotes (`quoting.py`).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from html import unescape

from mailcrm.services.mail.parse.charsets import safe_text
from mailcrm.services.mail.parse.values import SNIPPET_CHARS, words

_TAG = re.compile(r"</?([a-zA-Z][^\s/>]{0,40})")
_SKIPPED = words("script style title template iframe noembed noframes object applet audio video svg math canvas")
_BLOCKS = words(
    "address article aside blockquote body center dd details dir div dl dt fieldset figcaption figure footer form "
    "h1 h2 h3 h4 h5 h6 header hr html li main menu nav ol p pre section summary table tbody tfoot thead tr ul"
)
_PARAGRAPHS = words("p h1 h2 h3 h4 h5 h6 blockquote ul ol dl table pre hr")
_CLOSERS = {name: re.compile(rf"</{name}[\s/>]", re.IGNORECASE | re.ASCII) for name in _SKIPPED}
_SPACES = re.compile(r"[ \t\r\n\f]+")
_INVISIBLE = re.compile(
    "[\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180e\u200b-\u200f\u202a-\u202e\u2060-\u206f\ufeff]"
)


def tokens(html: str) -> Iterator[tuple[str, str]]:
    """Cut HTML into ('text', …), ('open', name) and ('close', name), in linear time.

    Contents of script, style and the like are dropped. Quotes count only after `=`,
    as in the HTML standard; an unclosed tag ends the document.
    """
    i, size = 0, len(html)
    while i < size:
        start = html.find("<", i)
        if start < 0:
            yield "text", html[i:]
            return
        if start > i:
            yield "text", html[i:start]
        match = _TAG.match(html, start)
        if match is None:
            i = _markup_end(html, start)
            if i == start + 1:
                yield "text", "<"
            continue
        name = match[1].lower()
        i = _tag_end(html, match.end())
        closing = html[start + 1] == "/"
        if name in _SKIPPED and not closing:
            end = _CLOSERS[name].search(html, i)
            if end is None and name in ("script", "style", "template", "iframe"):
                return
            i = html.find(">", end.start()) + 1 or size if end else i
            continue
        yield ("close" if closing else "open"), name


def _markup_end(html: str, start: int) -> int:
    """Skip a comment or declaration; a `<` that opens nothing is text."""
    if html.startswith("<!--", start):
        end = html.find("-->", start + 2)
        return end + 3 if end >= 0 else len(html)
    if html[start + 1 : start + 2] in ("!", "?", "/"):
        end = html.find(">", start)
        return end + 1 if end >= 0 else len(html)
    return start + 1


def _tag_end(html: str, i: int) -> int:
    size = len(html)
    while i < size:
        end, equals = html.find(">", i), html.find("=", i)
        if end < 0:
            return size
        if equals < 0 or equals > end:
            return end + 1
        i = equals + 1
        while i < size and html[i] in " \t\r\n\f":
            i += 1
        if i < size and html[i] in "\"'":
            close = html.find(html[i], i + 1)
            if close < 0:
                return size
            i = close + 1
    return size


def text_of_html(html: str) -> str:
    """Return the readable text: blocks on their own lines, `pre` kept, no markup."""
    out: list[str] = []
    pre, pending, at_start = 0, "", True
    for kind, value in tokens(html):
        if kind == "text":
            text = unescape(value)
            if not pre:
                text = _SPACES.sub(" ", text)
                if at_start or pending:
                    text = text.lstrip(" ")
            if not text:
                continue
            out.append(pending)
            out.append(text)
            pending, at_start = "", False
        elif value == "br" and kind == "open":
            pending = pending + "\n" if len(pending) < 3 else pending
        elif value in ("td", "th") and kind == "close":
            out.append(" ")
        elif value in _BLOCKS:
            if value == "pre":
                pre = max(0, pre + (1 if kind == "open" else -1))
            wanted = "\n\n" if value in _PARAGRAPHS else "\n"
            pending = "" if at_start else max(pending, wanted, key=len)
    lines = (line.rstrip(" \xa0") for line in "".join(out).split("\n"))
    return safe_text("\n".join(lines)).strip("\n ")


def snippet_of(text: str) -> str:
    """Return at most SNIPPET_CHARS of text on one line, without invisible fillers."""
    line = " ".join(_INVISIBLE.sub("", text[: SNIPPET_CHARS * 20]).split())
    return line if len(line) <= SNIPPET_CHARS else line[: SNIPPET_CHARS - 1].rstrip() + "…"
