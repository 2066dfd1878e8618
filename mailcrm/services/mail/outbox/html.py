"""The composer's HTML made safe and well-formed: what is stored, shown again, and sent.

Pure and linear: the tree is read once and written again from an allow-list, so what comes out is known whatever went
in: every attribute in double quotes, every `<` in text escaped. rewrite and build rely on that form.
Keeps `dir` (M05) and marks of the quote. Is no replacement for the cleaning of received mail (services/mail/render.py).
"""

from __future__ import annotations

import html as entities
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from mailcrm.services.mail.outbox.addresses import clean
from mailcrm.services.mail.outbox.pasted import with_lists

if TYPE_CHECKING:
    from selectolax.lexbor import LexborNode

MAX_HTML = 2_000_000  # characters; inline images are attachments, not text
MAX_TAGS = 20_000  # the parser is quadratic on nested blocks: 100,000 nested <div> take 15 s
MAX_DEPTH = 100  # deeper elements lose their tags: mail programs recurse on them
QUOTE_CLASS = "mailcrm-quote"
MERGE_CLASS, SIGNATURE_CLASS = "mc-merge", "mc-signature"
CLASSES = (QUOTE_CLASS, "mailcrm-attribution", "mailcrm-signature", MERGE_CLASS, SIGNATURE_CLASS)

_VOID = frozenset({"br", "hr", "img", "col", "wbr"})
_BLOCKS = frozenset(
    [
        "address", "article", "blockquote", "center", "dd", "div", "dl", "dt", "figcaption", "figure", "footer",
        "h1", "h2", "h3", "h4", "h5", "h6", "header", "hr", "li", "ol", "p", "pre", "section", "table", "tbody",
        "td", "tfoot", "th", "thead", "tr", "ul",
    ]
)  # fmt: skip
_TAGS = (
    _BLOCKS
    | _VOID
    | frozenset(
        [
            "a", "abbr", "b", "bdi", "bdo", "big", "caption", "cite", "code", "colgroup", "del", "em", "font", "i",
            "ins", "kbd", "mark", "q", "s", "samp", "small", "span", "strike", "strong", "sub", "sup", "tt", "u", "var",
        ]
    )
)  # fmt: skip
_DROPPED = frozenset(
    [
        "applet", "audio", "base", "button", "canvas", "datalist", "embed", "frame", "frameset", "head",
        "iframe", "input", "link", "math", "meta", "noembed", "noframes", "noscript", "object", "option",
        "script", "select", "source", "style", "svg", "template", "textarea", "title", "track", "video",
    ]
)  # fmt: skip
_ATTRIBUTES = frozenset(
    [
        "align", "alt", "bgcolor", "border", "cellpadding", "cellspacing", "color", "colspan", "dir", "face",
        "height", "lang", "rowspan", "size", "start", "title", "type", "valign", "width",
    ]
)  # fmt: skip
#: What the composer's marks say about themselves; kept on their own elements only.
_MARKS = {MERGE_CLASS: ("data-field", "data-fallback"), SIGNATURE_CLASS: ("data-signature",)}
_MARK_VALUES = {
    "data-field": re.compile(r"[a-z_]{1,40}(?:\.[a-z0-9_]{1,60}){1,3}"),
    "data-fallback": re.compile(r"[^{}\n]{1,200}"),
    "data-signature": re.compile(r"[0-9]{1,18}"),
}
#: On a link: its writer does not want it followed. Between the editor and us; `without_marks` takes it off.
NOT_TRACKED = 'data-track="off"'
#: What the page it was copied from did not show; Word's hidden text too.
_HIDDEN = re.compile(r"(?:^|;)\s*(?:display\s*:\s*none|visibility\s*:\s*hidden|mso-hide\s*:\s*all)", re.IGNORECASE)
_LINK = re.compile(r"(?:https?://|mailto:|tel:)\S", re.IGNORECASE)
_IMAGE = re.compile(r"https?://\S|cid:\S|data:image/(?:png|jpeg|gif|webp);base64,", re.IGNORECASE)
_STYLE = re.compile(r"\s*([a-z-]{2,40})\s*:\s*([^;{}<>\\@]{1,200}?)\s*", re.IGNORECASE)
_STYLES = frozenset(
    [
        "background-color", "border", "border-bottom", "border-collapse", "border-color", "border-left",
        "border-radius", "border-right", "border-spacing", "border-style", "border-top", "border-width",
        "color", "direction", "font", "font-family", "font-size", "font-style", "font-weight", "height",
        "letter-spacing", "line-height", "list-style-type", "margin", "margin-bottom", "margin-left", "margin-right", "margin-top", "max-width", "min-width", "padding", "padding-bottom", "padding-left", "padding-right", "padding-top", "text-align", "text-decoration", "text-indent", "text-transform", "vertical-align", "white-space", "width", "word-break",
    ]
)  # fmt: skip
_STYLE_FORBIDDEN = re.compile(r"url|expression|image|attr|var\s*\(|env\s*\(|/\*|&", re.IGNORECASE)
_CONTROLS = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ufffe\uffff]")


def clean_html(html: str) -> str:
    """Return the fragment written anew from the allow-list; the same again when it is cleaned twice."""
    html = _CONTROLS.sub("", html[:MAX_HTML].encode("utf-8", "ignore").decode())
    if html.count("<") <= MAX_TAGS:
        html = with_lists(html)
    body = _body(html)
    return _Writer().fragment(body) if body is not None else ""


def without_marks(html: str) -> str:
    """Return a clean fragment without what is between the editor and us: nobody else is told which link isn't tracked."""
    return html.replace(f" {NOT_TRACKED}", "")  # quotes in text and in values are escaped: it is the attribute


def text_of(html: str) -> str:
    """Return the text part made from a fragment: lines for blocks, `> ` for quotes, the address behind a link."""
    body = _body(html[:MAX_HTML])
    return _Text().fragment(body) if body is not None else ""


def _body(html: str) -> LexborNode | None:
    if html.count("<") > MAX_TAGS:
        html = re.sub(r"<[^<>]{0,2000}>", " ", html)
        html = html.replace("<", "&lt;")
    from selectolax.lexbor import LexborHTMLParser  # 2 MB, which a worker that only syncs need not hold

    return LexborHTMLParser(html).body


def paragraphs(text: str) -> str:
    """Return plain text as HTML, a `<p dir="auto">` for each line."""
    lines = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    return "".join(f'<p dir="auto">{escape(line) or "<br>"}</p>' for line in lines)


def escape(text: str) -> str:
    """Escape text for an element's content or an attribute in double quotes."""
    return entities.escape(text, quote=True).replace("\xa0", "&nbsp;").replace("&#x27;", "'")


def is_empty(html: str) -> bool:
    """True when nothing would be read: no text, no image."""
    return not text_of(html).strip() and "<img" not in html


@dataclass
class _Step:
    """One thing left to do of a walk: a node to enter, or the closing of one."""

    node: LexborNode | None
    closing: str
    depth: int
    quoted: bool


class _Writer:
    def __init__(self) -> None:
        self.out: list[str] = []

    def fragment(self, body: LexborNode) -> str:
        todo = _children(body, 0, False)
        while todo:
            step = todo.pop()
            if step.node is None:
                self.out.append(step.closing)
            elif step.node.tag == "-text":
                self.out.append(escape(step.node.text_content or ""))
            else:
                self._element(step.node, step, todo)
        return "".join(self.out)

    def _element(self, node: LexborNode, step: _Step, todo: list[_Step]) -> None:
        tag = (node.tag or "").lower()
        if tag in _DROPPED or not tag or tag[0] in "-_!":
            return
        attributes = {name.lower(): value or "" for name, value in node.attributes.items()}
        if _HIDDEN.search(attributes.get("style", "")) or (tag == "img" and _is_pixel(attributes)):
            return
        quoted = step.quoted or (tag == "blockquote" and QUOTE_CLASS in attributes.get("class", "").split())
        if tag in _TAGS and step.depth < MAX_DEPTH:
            kept = _kept(tag, attributes, step.quoted)
            if tag == "img" and "src" not in kept:
                return
            self.out.append(f"<{tag}" + "".join(f' {name}="{escape(value)}"' for name, value in kept.items()) + ">")
            if tag in _VOID:
                return
            todo.append(_Step(None, f"</{tag}>", step.depth, quoted))
        todo.extend(_children(node, step.depth + 1, quoted))


def _children(node: LexborNode, depth: int, quoted: bool) -> list[_Step]:
    found: list[_Step] = []
    child = node.child
    while child is not None:
        found.append(_Step(child, "", depth, quoted))
        child = child.next
    found.reverse()
    return found


def _kept(tag: str, attributes: dict[str, str], quoted: bool) -> dict[str, str]:
    kept: dict[str, str] = {}
    for name, value in attributes.items():
        if name == "class":
            value = " ".join(each for each in value.split() if each in CLASSES)
        elif name == "style":
            value = _style(value)
        elif name == "href" and tag == "a":
            value = _url(value)
            value = value if _LINK.match(value) or re.fullmatch(r"#[\w.-]+", value) else ""
        elif name == "src" and tag == "img":
            value = _url(value)
            # a quoted stranger's remote image would report to them from here and from the recipient
            value = value if _IMAGE.match(value) and not (quoted and value.lower().startswith("http")) else ""
        elif name == "data-track" and tag == "a":
            value = "off" if value.strip().lower() == "off" else ""
        elif name == "dir":
            value = value.lower() if value.lower() in ("ltr", "rtl", "auto") else ""
        elif name in _MARK_VALUES:
            value = clean(value) if _is_marked(name, attributes) else ""
        elif name in _ATTRIBUTES:
            value = clean(value)
        else:
            continue
        if value or (name == "alt" and tag == "img"):
            kept[name] = value
    return kept


def _is_pixel(attributes: dict[str, str]) -> bool:
    """Whether an image is another sender's tracking pixel that came along with a copied text."""
    sides = (attributes.get("width", "").strip(), attributes.get("height", "").strip())
    return attributes.get("src", "").lower().startswith("http") and any(side in ("0", "1", "2") for side in sides)


def _is_marked(name: str, attributes: dict[str, str]) -> bool:
    """Whether an attribute of a mark stands on the mark's own element and is what it should be."""
    classes = attributes.get("class", "").split()
    return any(mark in classes and name in names for mark, names in _MARKS.items()) and bool(
        _MARK_VALUES[name].fullmatch(clean(attributes[name]))
    )


def _url(value: str) -> str:
    """Return a URL without what browsers drop from it anyway: controls and outer spaces."""
    return re.sub(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]", "", value).strip().replace(" ", "%20")


def _style(value: str) -> str:
    kept: list[str] = []
    for declaration in value[:4000].split(";"):
        match = _STYLE.fullmatch(declaration)
        if match and match[1].lower() in _STYLES and not _STYLE_FORBIDDEN.search(match[2]):
            kept.append(f"{match[1].lower()}: {match[2]}")
    return "; ".join(kept)


class _Text:
    """Text of a fragment: one line for each block, `> ` before quoted ones."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.current: list[str] = []
        self.depth = 0

    def fragment(self, body: LexborNode) -> str:
        todo = _children(body, 0, False)
        while todo:
            step = todo.pop()
            if step.node is None:
                self._close(step.closing)
            elif step.node.tag == "-text":
                self.current.append(re.sub(r"[ \t\r\n\f]+", " ", step.node.text_content or ""))
            else:
                self._open(step.node, todo)
        self._line()
        return re.sub(r"\n{3,}", "\n\n", "\n".join(self.lines)).strip("\n") + "\n"

    def _open(self, node: LexborNode, todo: list[_Step]) -> None:
        tag = (node.tag or "").lower()
        if tag in _DROPPED or tag[:1] in "-_!":
            return
        if tag == "br":
            self._line(always=True)
            return
        if tag == "img":
            self.current.append(clean(node.attributes.get("alt") or ""))
            return
        if tag in _BLOCKS:
            self._line()
            if tag == "blockquote":
                self.depth += 1
            elif tag == "li":
                self.current.append("- ")
            elif tag == "hr":
                self.current.append("-" * 40)
            todo.append(_Step(None, tag, 0, False))
        elif tag == "a":
            url = _url(node.attributes.get("href") or "")
            if re.match(r"https?://", url, re.IGNORECASE) and url.rstrip("/") != node.text().strip().rstrip("/"):
                todo.append(_Step(None, f"a {url}", 0, False))
        todo.extend(_children(node, 0, False))

    def _close(self, tag: str) -> None:
        if tag.startswith("a "):
            self.current.append(f" <{tag[2:]}>")
            return
        self._line()
        if tag == "blockquote":
            self.depth -= 1

    def _line(self, *, always: bool = False) -> None:
        text = "".join(self.current).strip().replace("\xa0", " ")
        self.current = []
        if text or always:
            self.lines.append(("> " * self.depth + text).rstrip() if text or self.depth else "")
