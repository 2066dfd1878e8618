"""Lists out of Word's paragraphs. Pure, and linear in what is pasted.

Word writes no lists: a row of paragraphs says `mso-list:l0 level2 lfo1` and carries its bullet as text. The editor
reads them while pasting (components/editor_paste.js); this does the same for HTML that comes another way (the API, an
older browser), before html.py lets the rest go: styles, classes, conditional comments, `o:p`.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from selectolax.lexbor import LexborNode

MOST_ITEMS = 5_000  # a longer list stays paragraphs
MOST_LEVELS = 9  # Word's own limit
_LIST = re.compile(r"mso-list:\s*(l\d{1,6})\s+level(\d{1,2})", re.IGNORECASE)
_IGNORED = re.compile(r"mso-list:\s*ignore", re.IGNORECASE)
_HIDDEN_FROM_OTHERS = re.compile(r"<!\[(?:end)?if[^>]{0,200}>", re.IGNORECASE)
_NUMBERED = re.compile(r"\(?(?:\d{1,4}|[a-z]{1,4})[.)]+", re.IGNORECASE)
_LEADING = re.compile(r"\s*(\S{1,6})[\s\xa0]+")
_RTL = re.compile(r"direction:\s*rtl", re.IGNORECASE)


def with_lists(html: str) -> str:
    """Return the HTML with Word's list paragraphs as `<ul>` and `<ol>`; what has none comes back as it is."""
    if "mso-list" not in html.lower():
        return html
    from selectolax.lexbor import LexborHTMLParser  # as in html.py

    tree = LexborHTMLParser(_HIDDEN_FROM_OTHERS.sub("", html))
    body = tree.body
    if body is None:
        return html
    items = [node for node in body.css("p, h1, h2, h3, h4, h5, h6") if _LIST.search(_style(node))]
    if not items or len(items) > MOST_ITEMS:
        return html
    runs: list[_Run] = []
    for node in items:
        found = _LIST.search(_style(node))
        assert found is not None
        if not runs or not runs[-1].goes_on_with(node, found[1]):
            runs.append(_Run(found[1], f"\ue000list{len(runs)}\ue001"))
        runs[-1].add(node, min(int(found[2]), MOST_LEVELS))
    for run in runs:
        run.first.insert_before(run.token)
        for node in run.nodes:
            node.decompose()
    text = body.inner_html or ""
    parts = re.split("(\ue000list\\d+\ue001)", text)
    made = {run.token: run.html() for run in runs}
    return "".join(made.get(part, part) for part in parts)


class _Run:
    """Paragraphs of one list that stand one after the other."""

    def __init__(self, name: str, token: str) -> None:
        self.name, self.token = name, token
        self.nodes: list[LexborNode] = []
        self.entries: list[tuple[int, bool, str, str]] = []  # level, numbered, dir, HTML

    @property
    def first(self) -> LexborNode:
        return self.nodes[0]

    def goes_on_with(self, node: LexborNode, name: str) -> bool:
        before = node.prev
        while before is not None and before.tag in ("-text", "-comment") and not (before.text_content or "").strip():
            before = before.prev
        return name == self.name and before is not None and before.mem_id == self.nodes[-1].mem_id

    def add(self, node: LexborNode, level: int) -> None:
        mark = ""
        for span in node.css("span"):
            if _IGNORED.search(_style(span)):
                mark = span.text()
                span.decompose()
                break
        else:
            found = _LEADING.match(node.text())
            mark = found[1] if found else ""
        mark = re.sub(r"[\s\xa0]", "", mark)
        direction = ' dir="rtl"' if _RTL.search(_style(node)) or node.attributes.get("dir") == "rtl" else ""
        self.entries.append((level, bool(_NUMBERED.fullmatch(mark)), direction, node.inner_html or ""))
        self.nodes.append(node)

    def html(self) -> str:
        out: list[str] = []
        lists: list[tuple[int, str]] = []
        for level, numbered, direction, inner in self.entries:
            while lists and lists[-1][0] > level:
                out.append(f"</li></{lists.pop()[1]}>")
            if lists and lists[-1][0] == level:
                out.append("</li>")
            else:
                tag = "ol" if numbered else "ul"
                lists.append((level, tag))
                out.append(f"<{tag}>")
            out.append(f"<li><p{direction}>{inner.strip()}</p>")
        while lists:
            out.append(f"</li></{lists.pop()[1]}>")
        return "".join(out)


def _style(node: LexborNode) -> str:
    return node.attributes.get("style") or ""
