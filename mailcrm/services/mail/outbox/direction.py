"""Sets `dir` on every paragraph from its first strong letter (M05, Unicode UAX 9 P2).

Pure. Mail programs know `rtl` and `ltr`; `auto`, which the composer uses, is unknown to Outlook.
"""

from __future__ import annotations

import unicodedata

from selectolax.lexbor import LexborHTMLParser, LexborNode

_PARAGRAPHS = "p, div, li, h1, h2, h3, h4, h5, h6, td, th, pre, dt, dd"
_LOOKED_AT = 2000  # characters: a paragraph without a letter in so many is made of digits


def with_directions(html: str) -> str:
    """Return the fragment with `dir="rtl"` or `"ltr"` on each paragraph whose text has one; a chosen one stays."""
    tree = LexborHTMLParser(html)
    body = tree.body
    if body is None:
        return ""
    for node in body.css(_PARAGRAPHS):
        chosen = (node.attributes.get("dir") or "").lower()
        if chosen in ("rtl", "ltr") or _has_paragraphs(node):
            continue
        found = direction_of(node.text())
        if found:
            node.attrs["dir"] = found
        elif chosen:
            del node.attrs["dir"]
    return body.inner_html or ""


def direction_of(text: str) -> str:
    """Return "rtl" or "ltr" by the first strong letter, "" when there is none."""
    for char in text[:_LOOKED_AT]:
        kind = unicodedata.bidirectional(char)
        if kind in ("R", "AL"):
            return "rtl"
        if kind == "L":
            return "ltr"
    return ""


def _has_paragraphs(node: LexborNode) -> bool:
    child = node.child
    while child is not None:
        if child.tag in ("p", "div", "ul", "ol", "table", "blockquote", "pre", "h1", "h2", "h3", "dl"):
            return True
        child = child.next
    return False
