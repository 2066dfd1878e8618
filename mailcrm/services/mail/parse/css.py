"""Style attributes: a positive grammar of properties and values.

bleach's CSSSanitizer never looks at values, so url(), var() and image-set() load from
the network (security.md F1), and nested parentheses end in RecursionError (F4). Here a
declaration survives only when its property is listed and every token of its value is
of a listed kind. Style elements come here through sheets.py, rule by rule.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from html import unescape
from typing import Any

import tinycss2
from bleach.css_sanitizer import CSSSanitizer

from mailcrm.services.mail.parse.values import words

_EDGES = ("top", "right", "bottom", "left")
PROPERTIES = (
    words(
        "background background-color border border-collapse border-color border-radius border-spacing border-style "
        "border-width caption-side clear color direction display empty-cells float font font-family font-size "
        "font-style font-variant font-weight height letter-spacing line-height list-style-type margin max-height "
        "max-width min-height min-width overflow overflow-wrap overflow-x overflow-y padding table-layout "
        "text-align text-decoration text-decoration-color text-decoration-line text-decoration-style text-indent "
        "text-transform unicode-bidi vertical-align visibility white-space width word-break word-spacing word-wrap"
    )
    | {f"{name}-{edge}" for name in ("margin", "padding", "border") for edge in _EDGES}
    | {f"border-{edge}-{what}" for edge in _EDGES for what in ("color", "style", "width")}
)
_FUNCTIONS = frozenset(("rgb", "rgba", "hsl", "hsla"))
_IDENT = re.compile(r"-?[a-zA-Z][a-zA-Z0-9-]{0,60}")
_STRING = re.compile(r"[^\x00-\x1f\"'<>\\{}();]{0,80}")
_DISPLAYS = words(
    "none block inline inline-block list-item table inline-table table-row table-cell table-row-group table-header- "
    "group table-footer-group table-column table-column-group table-caption"
)
_MAX_STYLE = 10_000  # characters; the longest in 400 real newsletters had 1,900
_MAX_BRACKETS = 60


class StyleFilter(CSSSanitizer):
    """What bleach calls for each style attribute: our grammar, then bleach's own check."""

    def __init__(self) -> None:
        super().__init__(allowed_css_properties=PROPERTIES, allowed_svg_properties=frozenset[str]())

    def sanitize_css(self, style: str) -> str:
        """Return the style with only what the grammar knows; '' when nothing is left."""
        return super().sanitize_css(clean_style(unescape(style)))  # bleach hands entities on


def clean_style(style: str) -> str:
    """Return the declarations of a style attribute that are safe to show."""
    if len(style) > _MAX_STYLE or sum(style.count(c) for c in "([{") > _MAX_BRACKETS:
        return ""
    return "; ".join(f"{name}: {value}" for name, value, _ in clean_declarations(style))


def clean_declarations(source: Any) -> Iterator[tuple[str, str, bool]]:
    """Yield (property, value, whether it is important) of what is safe to show in a style, or in a rule's tokens."""
    nodes: list[Any] = tinycss2.parse_declaration_list(source, skip_comments=True, skip_whitespace=True)
    for node in nodes:
        if node.type != "declaration" or node.lower_name not in PROPERTIES:
            continue
        tokens = [token for token in node.value if token.type != "comment"]
        value = "".join(_render(token, node.lower_name) or "\0" for token in tokens).strip()
        if value and "\0" not in value and _is_allowed(node.lower_name, value):
            yield node.lower_name, value, node.important


def _render(token: Any, name: str) -> str | None:
    """Return a token written anew, None when it is of no listed kind."""
    kind = token.type
    if kind == "whitespace":
        return " "
    if kind == "ident" and _IDENT.fullmatch(token.value):
        return token.value
    if kind in ("number", "percentage", "dimension"):
        return _number(token, name)
    if kind == "hash" and re.fullmatch(r"[0-9a-fA-F]{3,8}", token.value):
        return f"#{token.value}"
    if kind == "literal" and token.value in (",", "/"):
        return token.value
    if kind == "string" and name in ("font", "font-family") and _STRING.fullmatch(token.value):
        return f"'{token.value}'"
    if kind == "function" and token.lower_name in _FUNCTIONS:
        inner = [_render(each, name) if each.type != "function" else None for each in token.arguments]
        return None if None in inner else f"{token.lower_name}({''.join(each or '' for each in inner)})"
    return None


def _number(token: Any, name: str) -> str | None:
    # Negative lengths pull content over its neighbours, or out of sight.
    if not -1000 <= token.value <= 100_000 or (token.value < 0 and name != "letter-spacing"):
        return None
    number = f"{token.value:g}" if "e" not in f"{token.value:g}" else "0"
    if token.type == "percentage":
        return f"{number}%"
    if token.type == "dimension":
        return f"{number}{token.lower_unit}" if re.fullmatch(r"[a-z]{1,4}", token.lower_unit) else None
    return number


def _is_allowed(name: str, value: str) -> bool:
    return name != "display" or value.lower() in _DISPLAYS
