"""Find where the quoted original begins in the HTML of a reply, so that the reading frame can fold it.

Two steps around the cleaner, because it drops the classes that mail programs mark quotes with: `mark_quotes` puts
texts that a sender can't guess before and after each quote, `settle_quotes` decides which of them are folded, and
`fold_quotes` makes `<details>` of those. What forwards, and what answers between the lines, stays whole: there the quote
is what the reader needs. Words and header blocks in many languages are `quoting.py`'s. Linear: every node is met once.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from html import escape
from itertools import islice

from selectolax.lexbor import LexborNode

from mailcrm.services.mail.parse.quoting import (
    attribution_length,
    begins_header_block,
    is_forward,
    is_header_block,
    is_separator,
)
from mailcrm.services.mail.parse.text import text_of_html
from mailcrm.services.mail.parse.values import words

_MAX_NODES = 60_000  # a newsletter has a few thousand; what comes later is not looked at
_LINES = 8  # of a header block that are read
#: Elements that hold the quote and nothing else: Gmail, Yahoo, Proton, Tuta, Zoho, and ours.
_HOLDERS = frozenset(
    (
        "gmail_quote", "gmail_quote_container", "yahoo_quoted", "protonmail_quote", "tutanota_quote", "zmail_extra",
        "mailcrm-quote",
    )
)  # fmt: skip
#: Ids from which on everything is quoted: Outlook on the web, for the Mac, new and mobile.
_FROM_HERE = frozenset(("divrplyfwdmsg", "olk_src_body_section", "mail-editor-reference-message-container"))
_ATTRIBUTIONS = frozenset(("moz-cite-prefix", "mailcrm-attribution", "gmail_attr", "yahoo_quoted_begin"))
_BLOCKS = words("p div td th li tr table blockquote section article h1 h2 h3 h4 center hr br pre ul ol dl body")
_NO_PLACE = words("table tbody thead tfoot tr colgroup ul ol dl select pre a")  # `details` has no place in them
_FEW = 30  # siblings of a quote that stands alone with its empty lines
_BLANK = re.compile("[\\s\u00a0\u200b-\u200f\u202f\u2060\ufeff]+")


def mark_quotes(body: LexborNode, mark: str) -> None:
    """Put `{mark}-q0-open` and `{mark}-q0-close` (q1, …) around each quote, as siblings."""
    for n, (first, last) in enumerate(_quotes(body)):
        first.insert_before(f"{mark}-q{n}-open")
        last.insert_after(f"{mark}-q{n}-close")


def settle_quotes(html: str, mark: str) -> str:
    """Keep the marks of what is to be folded, as `{mark}-open` and `{mark}-close`; take the others out."""
    pieces = re.split(rf"{mark}-q\d+-(open|close)", html)
    texts, kinds = pieces[::2], pieces[1::2]
    whole = kinds == ["open", "close"] * (len(kinds) // 2)
    said = [bool(_BLANK.sub("", text_of_html(each))) for each in texts[::2]] if whole else []
    if not any(said):
        return "".join(texts)  # nothing is new, or the marks were torn apart
    pairs = len(kinds) // 2
    folded = range(pairs)
    if any(said[1:-1]):  # answers between quotes: only what nothing follows is folded
        folded = range(pairs - 1, pairs) if not said[-1] else range(0)
    out = [texts[0]]
    for at, kind in enumerate(kinds):
        out.append(f"{mark}-{kind}" if at // 2 in folded else "")
        out.append(texts[at + 1])
    return "".join(out)


def fold_quotes(html: str, mark: str, label: str, *, folded: bool, opened: bool = False) -> str:
    """Make `<details>` of the marks that are left; not `folded`, they go. `opened` shows them unfolded."""
    start = f"<details{' open' if opened else ''}><summary>{escape(label)}</summary>" if folded else ""
    return html.replace(f"{mark}-open", start).replace(f"{mark}-close", "</details>" if folded else "")


def _quotes(body: LexborNode) -> Iterator[tuple[LexborNode, LexborNode]]:
    node: LexborNode | None = body.first_child
    for _ in range(_MAX_NODES):
        if node is None:
            return
        found = _look(node, body)
        if found == "forward":
            return
        if found == "rest":
            first = _with_rule(_highest(node, body))
            parent = first.parent
            if parent is not None and parent.tag not in _NO_PLACE and parent.last_child is not None:
                yield first, parent.last_child
            return
        if found == "quote":
            last = _alone(node, body)
            first = _with_attribution(last)
            if last.parent is not None and last.parent.tag not in _NO_PLACE and not _forwards(last):
                yield first, last
            node = _next(last, body, inside=False)
        else:
            node = _next(node, body, inside=True)


def _look(node: LexborNode, body: LexborNode) -> str:
    """Say what begins at a node: quote (that element), rest (from here to the end), forward, or ''."""
    if node.is_text_node:
        text = _line(node.text_content or "")
        if not text or len(text) > 200:
            return ""
        if is_forward(text):
            return "forward"
        heads = begins_header_block(text) and is_header_block(list(_lines_from(node, body)), 0)
        return "rest" if heads or is_separator([text], 0) else ""
    if not node.is_element_node:
        return ""
    attributes = node.attributes
    classes = frozenset((attributes.get("class") or "").lower().split())
    if (attributes.get("id") or "").lower().removeprefix("x_") in _FROM_HERE:
        return "rest"
    if classes & _HOLDERS or attributes.get("name") == "messageReplySection":
        return "quote"
    if node.tag == "blockquote":
        cited = (attributes.get("type") or "").lower() == "cite"
        alone = _alone(node, body)
        return "quote" if cited or _with_attribution(alone) is not alone else ""
    return ""


def _lines_from(node: LexborNode | None, body: LexborNode) -> Iterator[str]:
    line, lines = "", 0
    for _ in range(200):
        if node is None or lines >= _LINES:
            break
        if node.is_text_node:
            line += node.text_content or ""
        elif node.tag in _BLOCKS and _line(line):
            yield _line(line)
            line, lines = "", lines + 1
        node = _next(node, body, inside=True)
    if _line(line):
        yield _line(line)


def _forwards(node: LexborNode) -> bool:
    """Whether the element begins with the line of a forward."""
    for line in _lines_from(node.first_child, node):
        return is_forward(line)
    return False


def _with_attribution(node: LexborNode) -> LexborNode:
    """Return where the quote at `node` begins: at "On … wrote:", where that stands above it."""
    before = _before(node)
    if before is None or _is_rule(before):
        return node
    if before.is_element_node and before.tag in _BLOCKS:
        classes = frozenset((before.attributes.get("class") or "").lower().split())
        return before if classes & _ATTRIBUTIONS or _attributes(_line(before.text())) else node
    first, text = before, ""
    piece: LexborNode | None = before
    while piece is not None and (piece.is_text_node or (piece.is_element_node and piece.tag not in _BLOCKS)):
        text = ((piece.text_content if piece.is_text_node else piece.text()) or "") + text
        if len(text) > 400:
            return node
        first, piece = piece, piece.prev
    return first if _attributes(_line(text)) else node


def _with_rule(node: LexborNode) -> LexborNode:
    """Return where the quote at `node` begins: at the rule that Outlook draws above it, where there is one."""
    before = _before(node)
    while before is not None and _is_rule(before):
        node, before = before, _before(before)
    return node


def _is_rule(node: LexborNode) -> bool:
    return node.is_element_node and (node.tag == "hr" or node.attributes.get("id") == "appendonsend")


def _attributes(text: str) -> bool:
    return bool(text) and attribution_length([text], 0) > 0


def _before(node: LexborNode) -> LexborNode | None:
    """Return the nearest sibling before that says something; at most a few empty ones lie between."""
    found = node.prev
    for _ in range(6):
        if found is None or _is_rule(found) or _says(found):
            return found
        found = found.prev
    return None


def _alone(node: LexborNode, body: LexborNode) -> LexborNode:
    """Climb while the parent holds nothing else, so that what stands before it is the attribution."""
    while (parent := node.parent) is not None and parent.mem_id != body.mem_id and parent.tag == "div":
        if any(_says(each) for each in _siblings(node)) or len(list(_siblings(node))) == _FEW:
            break
        node = parent
    return node


def _highest(node: LexborNode, body: LexborNode) -> LexborNode:
    """Climb while nothing stands before it in its parent: what follows the parent belongs to the quote, too."""
    while (parent := node.parent) is not None and parent.mem_id != body.mem_id:
        before = node.prev
        while before is not None and not _says(before):
            before = before.prev
        if before is not None:
            break
        node = parent
    return node


def _siblings(node: LexborNode) -> Iterator[LexborNode]:
    around = (each for each in (node.parent or node).iter(include_text=True) if each.mem_id != node.mem_id)
    return islice(around, _FEW)


def _says(node: LexborNode) -> bool:
    text = node.text_content if node.is_text_node else node.text() if node.is_element_node else ""
    return bool(_BLANK.sub("", text or ""))


def _line(text: str) -> str:
    return _BLANK.sub(" ", text).strip()


def _next(node: LexborNode, root: LexborNode, *, inside: bool) -> LexborNode | None:
    """Return the next node in the order of the document, within `root`; `inside` goes into the node first."""
    if inside and node.first_child is not None:
        return node.first_child
    here: LexborNode | None = node
    while here is not None and here.mem_id != root.mem_id:
        if here.next is not None:
            return here.next
        here = here.parent
    return None
