"""Style sheets of a message, written into the style attributes of its elements.

A `style` element reaches out of its message (security.md, threat 3) and is removed; what it says of the message itself is
kept here first. Each sheet is read by the grammar of style attributes (css.py) and written anew: rules with plain
selectors and listed properties, nothing that is conditional but "screen" and "all", no imports, no fonts. css-inline
only ever sees what was written anew, with nothing to load. Sheets past a cap are left out, as if there were none. Does
not make a style safe: what stands in the attributes afterwards is cleaned like any other.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Any

import css_inline
import tinycss2
from selectolax.lexbor import LexborHTMLParser

from mailcrm.services.mail.parse.css import clean_declarations

MAX_SHEETS = 200_000  # characters of one message; 22 of 198 real ones had sheets, the longest of 10,800
_MAX_RULES = 1_000
_MAX_WORK = 2_000_000  # rules times elements
_MAX_GROWTH = 2_000_000  # characters that may be added
_MAX_DEPTH = 60  # of brackets
_MAX_SELECTOR = 300  # characters
_MEDIA = re.compile(r"\s*(?:only\s+)?(?:all|screen)\s*", re.IGNORECASE)
_COMPOUND = re.compile(r"(?=[a-z*.#])(?:\*|[a-z][a-z0-9]*)?(?:[.#][\w-]+)*", re.IGNORECASE)
_COMBINATOR = re.compile(r"\s*([>+])\s*")
_MAX_COMPOUNDS = 6  # each may look through all that is above an element
_LINK = re.compile(r"\ba:link\b", re.IGNORECASE)


def inline_sheets(html: str, sheets: Sequence[tuple[str, str]]) -> str:
    """Return the HTML with what its sheets, (media, text) each, say of its elements.

    `html` holds no script, link or style element any more. Costs time in proportion to rules times elements.
    """
    if not sheets or sum(len(text) for _, text in sheets) > MAX_SHEETS:
        return html
    found = (rule for media, text in sheets if _applies(media) for rule in _rules(text))
    rules = list(islice(found, _MAX_RULES + 1))
    elements = html.count("<") // 2 + 1
    if not rules or len(rules) > _MAX_RULES or len(rules) * elements > _MAX_WORK:
        return html
    if _growth(html, rules) > _MAX_GROWTH:
        return html
    sheet = "\n".join(f"{selector} {{ {style} }}" for selector, style in rules)
    return css_inline.inline(html, inline_style_tags=False, load_remote_stylesheets=False, extra_css=sheet)


def _growth(html: str, rules: list[tuple[str, str]]) -> int:
    """How many characters the rules may add: asked first, because "*" with a long style is a bomb.

    By the last part of each selector alone: lexbor's own look at what is above grows with each part's power.
    """
    tree = LexborHTMLParser(html)
    return sum(len(style) * len(tree.css(selector.rpartition(" ")[2])) for selector, style in rules)


def _applies(media: str) -> bool:
    return not media.strip() or any(_MEDIA.fullmatch(each) for each in media.split(","))


def _rules(text: str) -> Iterator[tuple[str, str]]:
    """Yield (selector, declarations), written anew."""
    if _too_deep(text):
        return
    yield from _of(tinycss2.parse_stylesheet(text, skip_comments=True, skip_whitespace=True))


def _of(nodes: list[Any]) -> Iterator[tuple[str, str]]:
    for node in nodes:
        if node.type == "at-rule" and node.lower_at_keyword == "media" and node.content is not None:
            if _applies(tinycss2.serialize(node.prelude)):
                yield from _of(tinycss2.parse_rule_list(node.content, skip_comments=True, skip_whitespace=True))
        elif node.type == "qualified-rule":
            style = "; ".join(
                f"{name}: {value}{' !important' if important else ''}"
                for name, value, important in clean_declarations(node.content)
            )
            for selector in tinycss2.serialize(node.prelude).split(",") if style else ():
                if plain := _selector(selector):
                    yield plain, style


def _selector(text: str) -> str:
    """Return a selector of names, classes and ids, written anew; '' for any other."""
    if len(text) > _MAX_SELECTOR:
        return ""
    parts = _COMBINATOR.sub(r" \1 ", _LINK.sub("a", text)).split()
    if not parts or len(parts) > 2 * _MAX_COMPOUNDS:
        return ""
    return " ".join(parts) if all(part in (">", "+") or _COMPOUND.fullmatch(part) for part in parts) else ""


def _too_deep(text: str) -> bool:
    """Say whether brackets stand in brackets beyond what a sheet needs: the parser calls itself for each."""
    depth = 0
    for found in re.finditer(r"[(\[{]|[)\]}]", text):
        depth = depth + 1 if found[0] in "([{" else max(0, depth - 1)
        if depth > _MAX_DEPTH:
            return True
    return False
