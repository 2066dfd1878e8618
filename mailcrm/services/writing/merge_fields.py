"""Merge fields: find them, refuse what is none, fill them in (M06). Pure.

In HTML a field is a pill, `<span class="mc-merge" data-field="person.first_name" data-fallback="there">…</span>`, or
the expression typed out; in a subject it is the expression: `{{ person.first_name | default("there") }}`. Expressions
run in Jinja2's sandbox, and only after their tree was compared with the two shapes there are (a field; a field with
`| default("…")`), so nothing is called, looped over or reached into. Values are text: escaped in HTML, isolated so that
they don't turn the words around them (UAX #9), one line in subjects. A field without value and fallback is reported,
never silently empty. Quotes and code are left alone: braces there are somebody's words.
Does not know any values (fill.py).
"""

from __future__ import annotations

import functools
import html as entities
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from jinja2 import StrictUndefined, TemplateError, nodes
from jinja2.sandbox import ImmutableSandboxedEnvironment

from mailcrm.errors import UserError
from mailcrm.services.i18n import N_
from mailcrm.services.mail.outbox.addresses import clean
from mailcrm.services.mail.outbox.html import MAX_HTML, QUOTE_CLASS, escape
from mailcrm.services.writing import markup

MERGE_CLASS = "mc-merge"
MISSING_CLASS = "mc-missing"
MAX_USES = 500  # fields in one text
MAX_EXPRESSION = 400  # characters between the braces: a field, and a fallback of a line
MAX_FALLBACK = 300  # characters
MAX_VALUE = 2000  # characters of one value; an address of a dozen lines has 500

#: What a field is called in menus and pills.
LABELS: dict[str, str] = {
    "person.name": N_("Name"),
    "person.first_name": N_("First name"),
    "person.last_name": N_("Last name"),
    "person.email": N_("Email"),
    "person.phone": N_("Phone"),
    "person.job_title": N_("Job title"),
    "person.organization": N_("Organization"),
    "organization.name": N_("Organization name"),
    "organization.address": N_("Organization address"),
    "deal.title": N_("Deal title"),
    "deal.value": N_("Deal value"),
    "deal.stage": N_("Deal stage"),
    "deal.close_date": N_("Expected close"),
    "lead.title": N_("Lead title"),
    "lead.value": N_("Lead value"),
    "sender.name": N_("Your name"),
    "sender.first_name": N_("Your first name"),
    "sender.email": N_("Your email"),
}
_CUSTOM = re.compile(r"(person|organization|deal)\.custom\.([1-9][0-9]{0,17})")
_EXPRESSION = re.compile(
    r"\{\{((?:[^{}\"']|\"(?:[^\"\\\n]|\\.){0,400}+\"|'(?:[^'\\\n]|\\.){0,400}+'){0,400}?)\}\}", re.DOTALL
)  # 400 is MAX_EXPRESSION
_BLOCK = re.compile(r"\{[%#]-?\s*\w[^\n]{0,60}")
_VERBATIM = ("code", "pre")
_FOREIGN = (QUOTE_CLASS, "mailcrm-attribution")  # a sender could name himself {{ deal.value }}
_ENVIRONMENT = ImmutableSandboxedEnvironment(undefined=StrictUndefined, autoescape=False, cache_size=0)
_ENVIRONMENT.globals = {}  # no range, no lipsum, no namespace: there is nothing to call


@dataclass(frozen=True, slots=True)
class Use:
    """A merge field where it stands; `fallback` None when none was given."""

    field: str
    fallback: str | None = None


@dataclass(frozen=True, slots=True)
class Filled:
    """A text with its fields filled in, what had no value, and what looks like a field but is none."""

    content: str
    missing: tuple[Use, ...] = ()
    refused: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class _Piece:
    """Part of a text: literal, a field, or something refused (its text is in `literal`)."""

    literal: str
    use: Use | None = None
    refused: bool = False


def is_field(name: str) -> bool:
    """True for a name that a merge field may have."""
    return name in LABELS or _CUSTOM.fullmatch(name) is not None


def custom_of(name: str) -> tuple[str, int] | None:
    """Return kind and id of a custom field's name, None for the others."""
    found = _CUSTOM.fullmatch(name)
    return (found[1], int(found[2])) if found else None


def expression(use: Use) -> str:
    """Return a field as it is typed: `{{ person.first_name | default("there") }}`."""
    if use.fallback is None:
        return "{{ " + use.field + " }}"
    quoted = use.fallback.replace("\\", "\\\\").replace('"', '\\"')
    return "{{ " + use.field + ' | default("' + quoted + '") }}'


def pill(use: Use) -> str:
    """Return a field as the editor keeps it."""
    fallback = "" if use.fallback is None else f' data-fallback="{escape(use.fallback)}"'
    return f'<span class="{MERGE_CLASS}" data-field="{escape(use.field)}"{fallback}>{escape(expression(use))}</span>'


def parse(source: str) -> Use:
    """Return the field that stands between two braces. Raises UserError("merge.refused") for anything else."""
    found = _parsed(source)
    if found is None:
        raise UserError("merge.refused", value=_shown("{{" + source + "}}"))
    return found


def check(subject: str, html: str) -> None:
    """Raise UserError when a template holds braces that are no merge field, or statements of a template language."""
    for piece in (*_pieces(subject), *_html_pieces(html)):
        if piece.refused and piece.literal != "{{":  # one that is being typed; should it stay, sending asks about it
            raise UserError("merge.refused", value=_shown(piece.literal))
        statement = _BLOCK.search(piece.literal)
        if statement is not None and piece.use is None:
            raise UserError("merge.statement", value=_shown(statement[0]))
    uses(subject, html)


def uses(subject: str, html: str) -> tuple[Use, ...]:
    """Return the fields in a subject and a text, in order, each once."""
    found = [piece.use for piece in (*_pieces(subject), *_html_pieces(html)) if piece.use is not None]
    if len(found) > MAX_USES:
        raise UserError("merge.too_many", most=MAX_USES)
    return tuple(dict.fromkeys(found))


def with_pills(html: str) -> str:
    """Return the fragment with expressions that were typed out as pills, so that the editor shows them."""
    return _walk(html, lambda piece: pill(piece.use) if piece.use is not None else escape(piece.literal))


def fill_text(
    text: str, values: Mapping[str, str], *, labels: Mapping[str, str] | None = None, typed: bool = True
) -> Filled:
    """Fill in a subject: one line. Where a value is missing stands its label in braces; nothing without `labels`.

    Not `typed`: what is typed out is somebody else's, as in a reply; it is refused, and stays as it is.
    """
    result = _Result(values, typed)
    text = clean(text)

    def write(piece: _Piece) -> str:
        if piece.use is None or result.is_foreign(piece):
            return result.literal(piece)
        value = result.value(piece.use)
        if value is None:
            return "{" + labels.get(piece.use.field, piece.use.field) + "}" if labels is not None else ""
        return _isolated(_one_line(value), text)

    return result.filled("".join([write(piece) for piece in _pieces(text)]))


def fill_html(
    html: str, values: Mapping[str, str], *, labels: Mapping[str, str] | None = None, typed: bool = True
) -> Filled:
    """Fill in a fragment. Where a value is missing stands its label, marked; nothing without `labels`.

    Not `typed`: only pills are filled in, what is typed out is refused and stays as it is.
    Raises UserError: "merge.too_many", "merge.too_large".
    """
    result = _Result(values, typed)

    def write(piece: _Piece) -> str:
        if piece.use is None or result.is_foreign(piece):
            return escape(result.literal(piece))
        value = result.value(piece.use)
        if value is None:
            if labels is None:
                return ""
            return f'<span class="{MISSING_CLASS}">{escape(labels.get(piece.use.field, piece.use.field))}</span>'
        return "<bdi>" + "<br>".join(escape(line.strip()) for line in value.split("\n")) + "</bdi>"

    return result.filled(_walk(html, write))


class _Result:
    """Gathers what a text lacks while it is filled in."""

    def __init__(self, values: Mapping[str, str], typed: bool) -> None:
        self.values = values
        self.typed = typed
        self.known = _nested(values)
        self.missing: dict[Use, None] = {}
        self.refused: dict[str, None] = {}
        self.count = 0
        self.size = 0

    def is_foreign(self, piece: _Piece) -> bool:
        """True for an expression that was typed out where only pills count; a pill has no text of its own."""
        return not self.typed and bool(piece.literal)

    def literal(self, piece: _Piece) -> str:
        if piece.refused or piece.use is not None:
            self.refused[_shown(piece.literal)] = None
        return piece.literal

    def value(self, use: Use) -> str | None:
        self.count += 1
        if self.count > MAX_USES:
            raise UserError("merge.too_many", most=MAX_USES)
        if use.field not in self.values and not (use.fallback or "").strip():
            self.missing[use] = None
            return None
        found = clean_lines(_template(expression(use)).render(self.known))[:MAX_VALUE]
        self.size += len(found)
        return found

    def filled(self, content: str) -> Filled:
        if len(content) > MAX_HTML:
            raise UserError("merge.too_large", most=MAX_HTML)
        return Filled(content, tuple(self.missing), tuple(self.refused))


def clean_lines(text: str) -> str:
    """Return text of several lines without characters that mail or databases can't hold."""
    return "\n".join(clean(line) for line in text.replace("\r\n", "\n").replace("\r", "\n").split("\n")).strip()


def _pieces(text: str) -> Iterator[_Piece]:
    at = 0
    while (start := text.find("{{", at)) >= 0:
        if start > at:
            yield _Piece(text[at:start])
        match = _EXPRESSION.match(text, start)
        if match is None:
            at = start + 2
            yield _Piece(text[start:at], refused=True)
            continue
        at = match.end()
        found = _parsed(match[1])
        yield _Piece(match[0], found, refused=found is None)
    if at < len(text):
        yield _Piece(text[at:])


def _html_pieces(html: str) -> list[_Piece]:
    found: list[_Piece] = []

    def note(piece: _Piece) -> str:
        found.append(piece)
        return ""

    _walk(html, note)
    return found


def _walk(html: str, write: Callable[[_Piece], str]) -> str:
    """Write a fragment anew: tags, quotes and code as they are, text and fields as `write` says."""
    found = markup.tokens(html)
    out: list[str] = []
    at = 0
    while at < len(found):
        token = found[at]
        if token.kind == "text":
            text = token.text
            out += [write(piece) for piece in _pieces(text)] if "{" in text else [token.raw]
        elif token.kind == "open" and token.has_class(MERGE_CLASS):
            end = markup.closing(found, at)
            out.append(write(_pill_piece(token, found[at + 1 : end])))
            at = end
        elif token.kind == "open" and (token.tag in _VERBATIM or any(token.has_class(each) for each in _FOREIGN)):
            end = markup.closing(found, at)
            out += [each.raw for each in found[at : end + 1]]
            at = end
        else:
            if "{{" in token.attributes or "%7B%7B" in token.attributes:
                write(_Piece(token.raw, refused=True))
            out.append(token.raw)
        at += 1
    return "".join(out)


def _pill_piece(token: markup.Token, inner: list[markup.Token]) -> _Piece:
    """The field of a pill: what its attributes say; the text in it is for people who read the source."""
    field = (token.attribute("data-field") or "").strip()
    fallback = token.attribute("data-fallback")
    if not is_field(field):
        shown = field or "".join(each.text for each in inner if each.kind == "text")
        return _Piece(shown[:200], refused=True)
    return _Piece("", Use(field, _fallback(fallback) if fallback is not None else None))


def _fallback(text: str) -> str:
    return _one_line(clean(text))[:MAX_FALLBACK]


@functools.lru_cache(maxsize=1024)
def _parsed(source: str) -> Use | None:
    if len(source) > MAX_EXPRESSION:
        return None
    try:
        tree = _ENVIRONMENT.parse("{{" + source + "}}")
    except (TemplateError, RecursionError, ValueError, OverflowError):
        return None
    if len(tree.body) != 1 or not isinstance(tree.body[0], nodes.Output) or len(tree.body[0].nodes) != 1:
        return None
    found: Any = tree.body[0].nodes[0]
    fallback: str | None = None
    if isinstance(found, nodes.Filter):
        given: Any = found.args[0] if len(found.args) == 1 else None
        if found.name != "default" or found.kwargs or found.dyn_args or found.dyn_kwargs:
            return None
        if not isinstance(given, nodes.Const) or not isinstance(given.value, str):
            return None
        fallback = _fallback(given.value)
        found = found.node
    name = _name(found)
    return Use(name, fallback) if name is not None and is_field(name) else None


def _name(node: Any) -> str | None:
    parts: list[str] = []
    while isinstance(node, (nodes.Getattr, nodes.Getitem)):
        if isinstance(node, nodes.Getattr):
            parts.append(node.attr)
        elif isinstance(node.arg, nodes.Const) and type(node.arg.value) is int:
            parts.append(str(node.arg.value))
        else:
            return None
        if len(parts) > 3:
            return None
        node = node.node
    return ".".join([node.name, *reversed(parts)]) if isinstance(node, nodes.Name) else None


@functools.lru_cache(maxsize=1024)
def _template(source: str) -> Any:
    return _ENVIRONMENT.from_string(source)


def _nested(values: Mapping[str, str]) -> dict[str, dict[Any, Any]]:
    """Return `{"person": {"name": …, "custom": {12: …}}}`; every root is there, so `default` finds what is undefined."""
    found: dict[str, dict[Any, Any]] = {}
    for root in ("person", "organization", "deal", "lead", "sender"):
        found[root] = {"custom": {}}
    for name, value in values.items():
        custom = custom_of(name)
        if custom is not None:
            found[custom[0]]["custom"][custom[1]] = str(value)
        elif name in LABELS:
            root, _, attribute = name.partition(".")
            found[root][attribute] = str(value)
    return found


def _one_line(text: str) -> str:
    return " ".join(text.split())


_RTL = re.compile("[\u0590-\u08ff\ufb1d-\ufdff\ufe70-\ufefc\U00010800-\U00010fff\U0001e800-\U0001efff]")


def _isolated(value: str, around: str) -> str:
    """Isolate a value that runs against the text around it; others stay plain, because search meets subjects."""
    if bool(_RTL.search(value)) == bool(_RTL.search(around)):
        return value
    return f"\N{FIRST STRONG ISOLATE}{value}\N{POP DIRECTIONAL ISOLATE}"


def _shown(text: str) -> str:
    return _one_line(clean(entities.unescape(text)))[:60]
