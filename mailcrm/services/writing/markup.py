"""Cuts the composer's HTML into tags and text, and puts it together again unchanged. Pure and linear.

Reads the form that `outbox/html.clean_html` writes (attributes in double quotes, every `<` in text escaped); of anything
else a stray `<` counts as text. Does not clean.
"""

from __future__ import annotations

import html as entities
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

_TOKEN = re.compile(
    r"<(?P<end>/?)(?P<tag>[a-zA-Z][a-zA-Z0-9]*+)(?P<attributes>(?:\s++[a-zA-Z-]++=\"[^\"]*+\")*+)\s*+/?>|[^<]++|<"
)
_ATTRIBUTE = re.compile(r"([a-zA-Z-]+)=\"([^\"]*)\"")
_VOID = frozenset({"br", "hr", "img", "col", "wbr"})


@dataclass(frozen=True, slots=True)
class Token:
    """A piece of HTML as it is written: an opening tag, a closing one, or text."""

    kind: Literal["open", "close", "text"]
    raw: str
    tag: str = ""
    attributes: str = ""

    def attribute(self, name: str) -> str | None:
        """Return an attribute's value, None when it is absent."""
        for found, value in _ATTRIBUTE.findall(self.attributes):
            if found.lower() == name:
                return entities.unescape(value)
        return None

    def has_class(self, name: str) -> bool:
        """True when the class attribute names this class."""
        return name in self.attributes and name in (self.attribute("class") or "").split()

    @property
    def text(self) -> str:
        """The text as it is read."""
        return entities.unescape(self.raw)


def tokens(html: str) -> list[Token]:
    """Return the pieces of a fragment; joined, their `raw` is the fragment."""
    return list(_tokens(html))


def _tokens(html: str) -> Iterator[Token]:
    for match in _TOKEN.finditer(html):
        tag = match["tag"]
        if tag:
            yield Token("close" if match["end"] else "open", match[0], tag.lower(), match["attributes"])
        else:
            yield Token("text", match[0])


def closing(found: Sequence[Token], start: int) -> int:
    """Return where the element that opens at `start` ends: the index of its closing tag, or of the last token.

    Counts tags of the same name only: what `clean_html` writes is well nested.
    """
    tag, depth = found[start].tag, 0
    if tag in _VOID:
        return start
    for at in range(start, len(found)):
        token = found[at]
        if token.tag == tag:
            depth += 1 if token.kind == "open" else -1
            if depth == 0:
                return at
    return len(found) - 1
