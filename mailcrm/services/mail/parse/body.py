"""Choose the body: which parts are the text and the HTML that a reader sees.

multipart/alternative offers one content in several forms; everything else is read in
order. Does not clean HTML and does not list attachments, but says which parts it took.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from html import escape

from mailcrm.services.mail.parse.charsets import decode_bytes, is_known, safe_text
from mailcrm.services.mail.parse.text import text_of_html
from mailcrm.services.mail.parse.tree import Part

_META = re.compile(rb"<meta[^>]{0,200}?charset\s{0,9}=\s{0,9}[\"']?([\w:.-]{1,40})", re.IGNORECASE)


@dataclass(slots=True)
class Body:
    """The chosen text and HTML; `taken` holds the ids of the parts they came from."""

    text: str = ""
    html: str | None = None
    taken: set[int] = field(default_factory=set[int])


def choose_body(root: Part, *, text_only: bool = False) -> Body:
    """Return the body of a message; `text` falls back to the text of the HTML.

    `text_only`: `html` is left out where the text comes without it, which is most of the work of a newsletter. `text`
    and `taken` are the same.
    """
    taken: set[int] = set()
    body = _collect(root, taken, text_only)
    if body.html is not None and not body.text.strip():
        body.text = text_of_html(body.html)
    body.taken = taken
    return body


def _collect(part: Part, taken: set[int], text_only: bool) -> Body:
    if not part.is_multipart:
        return _leaf(part, taken)
    if part.content_type == "multipart/alternative":
        return _text_of_alternative(part, taken) if text_only else _alternative(part, taken)
    children = part.children[:1] if part.content_type in ("multipart/signed", "multipart/related") else part.children
    found = [body for body in (_collect(child, taken, text_only) for child in children) if body.text or body.html]
    if part.content_type == "multipart/related" and not found:
        found = [b for b in (_collect(child, taken, text_only) for child in part.children[1:]) if b.text or b.html]
    if len(found) <= 1:
        return found[0] if found else Body()
    html = None
    if any(body.html is not None for body in found):
        html = "\n".join(body.html if body.html is not None else _pre(body.text) for body in found)
    return Body("\n".join(body.text or text_of_html(body.html or "") for body in found), html)


def _alternative(part: Part, taken: set[int]) -> Body:
    """Take the first text and the last HTML: RFC 2046 5.1.4 orders by richness."""
    forms = [_collect(child, taken, text_only=False) for child in part.children]
    text = next((form.text for form in forms if form.text.strip()), "")
    html = next((form.html for form in reversed(forms) if form.html), None)
    return Body(text, html)


def _text_of_alternative(part: Part, taken: set[int]) -> Body:
    """Do the same without the HTML, where there is a text beside it and nothing but leaves."""
    if any(child.is_multipart for child in part.children):
        return _alternative(part, taken)
    mine = set(taken)
    text = ""
    for child in part.children:
        if _is_body(child, mine):
            mine.add(id(child))
            if child.content_type != "text/html":
                text = text if text.strip() else part_text(child)
    if not text.strip():
        return _alternative(part, taken)
    taken |= mine
    return Body(text)


def _is_body(part: Part, taken: set[int]) -> bool:
    """Whether a leaf is shown as text; a named text after the body is a file, as Apple Mail sends them."""
    if part.content_type not in ("text/plain", "text/html") and not part.content_type.startswith("multipart/"):
        return False
    named = part.disposition_params.get("filename") or part.params.get("name")
    return part.disposition != "attachment" and not (named and taken)


def _leaf(part: Part, taken: set[int]) -> Body:
    kind = "text/plain" if part.content_type.startswith("multipart/") else part.content_type
    if not _is_body(part, taken):
        return Body()
    taken.add(id(part))
    text = part_text(part)
    return Body(html=text) if kind == "text/html" else Body(text)


def part_text(part: Part) -> str:
    """Decode a text part: its charset, line ends, format=flowed (RFC 3676)."""
    charset = part.params.get("charset")
    if part.content_type == "text/html" and not is_known(charset or ""):
        meta = _META.search(part.content[:4096])
        charset = meta[1].decode("ascii", "replace") if meta else charset
    text = safe_text(decode_bytes(part.content, charset)).replace("\r\n", "\n").replace("\r", "\n")
    if part.content_type == "text/plain" and part.params.get("format", "").lower() == "flowed":
        text = _unflow(text, delsp=part.params.get("delsp", "").lower() == "yes")
    return text


def _unflow(text: str, *, delsp: bool) -> str:
    out: list[str] = []
    open_depth = -1
    pieces: list[str] = []

    def flush() -> None:
        if pieces:
            out.append((">" * open_depth + " " if open_depth > 0 else "") + "".join(pieces))
            pieces.clear()

    for line in text.split("\n"):
        content = line.lstrip(">")
        depth = len(line) - len(content)
        content = content.removeprefix(" ")
        if pieces and depth != open_depth:
            flush()
        open_depth = depth
        soft = content.endswith(" ") and content != "-- "
        pieces.append(content[:-1] if soft and delsp else content)
        if not soft:
            flush()
    flush()
    return "\n".join(out)


def _pre(text: str) -> str:
    return f'<div style="white-space: pre-wrap">{escape(text)}</div>'
