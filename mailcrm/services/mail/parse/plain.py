"""Text messages as HTML: escaped, linked, long quotes folded, direction by paragraph.

Linear in its input: addresses are found word by word, never by a pattern over the text.
The result needs no cleaning, because nothing but our own markup is in it.
"""

from __future__ import annotations

from html import escape

from mailcrm.services.mail.parse.charsets import safe_text
from mailcrm.services.mail.parse.links import safe_link
from mailcrm.services.mail.parse.quoting import attribution_length, is_quoted, split_quoted

MAX_TEXT = 1_000_000  # characters shown; more makes browsers stall, and can be downloaded
_MAX_SCANNED = 200_000  # characters, security.md F15
_FOLD_FROM = 4  # lines of `>`; fewer are context, shown
_SCHEMES = ("http://", "https://", "mailto:")
_AFTER = ".,;:!?'\"*_~。、，．」』】）〉》”’"
_PAIRS = {")": "(", "]": "[", ">": "<", "}": "{"}


def plain_to_html(
    text: str, *, quote_label: str = "Quoted text", cut_label: str = "The rest is not shown.", folded: bool = True
) -> str:
    """Return safe HTML of a text, its quotes `folded`. The labels are shown, so pass them translated."""
    text = safe_text(text)
    shown = text[:MAX_TEXT]
    new, quoted = split_quoted(shown) if folded and len(shown) <= _MAX_SCANNED else (shown, "")
    out = [_blocks(new, quote_label if folded else None)]
    if quoted:
        out.append(_folded(_blocks(quoted, None), quote_label))
    if len(text) > MAX_TEXT:
        out.append(f"<p>{escape(cut_label)}</p>")
    return "".join(out)


def _folded(html: str, label: str) -> str:
    return f"<details><summary>{escape(label)}</summary>{html}</details>"


def _blocks(text: str, quote_label: str | None) -> str:
    """Turn runs of lines into paragraphs and quotes; long quotes fold when labelled."""
    out: list[str] = []
    lines = text.split("\n")
    i = 0
    while i < len(lines):
        start = i
        if is_quoted(lines[i]):
            while i < len(lines) and is_quoted(lines[i]):
                i += 1
            inner = "<br>".join(linked(_unquoted(line)) for line in lines[start:i])
            html = f'<blockquote dir="auto">{inner}</blockquote>'
            out.append(_folded(html, quote_label) if quote_label and i - start >= _FOLD_FROM else html)
        elif not lines[i].strip():
            i += 1
        else:
            while i < len(lines) and lines[i].strip() and not is_quoted(lines[i]):
                i += max(1, attribution_length(lines, i) if i == start else 1)
            out.append('<p dir="auto">' + "<br>".join(linked(line) for line in lines[start:i]) + "</p>")
    return "".join(out)


def _unquoted(line: str) -> str:
    return line.lstrip(" ")[1:].removeprefix(" ")


def linked(line: str) -> str:
    """Escape one line and link the addresses in it; runs of spaces are kept."""
    words = line.expandtabs(4).split(" ")
    out = [_word(each) if "://" in each or "@" in each or each.startswith("www.") else escape(each) for each in words]
    return " ".join(out).replace("  ", " &nbsp;")


def _word(word: str) -> str:
    low = word.lower()
    found = [at for at in (low.find(scheme) for scheme in (*_SCHEMES, "www.")) if at >= 0]
    start = min(found, default=-1)
    if start < 0:
        return _address(word)
    if start and word[start - 1].isalnum() and low.startswith("www.", start):
        return escape(word)
    end = _end(word, start)
    shown = word[start:end]
    target = safe_link(shown if not low.startswith("www.", start) else f"http://{shown}")
    if target is None or len(shown) < 8:
        return escape(word)
    return escape(word[:start]) + _anchor(target, shown) + escape(word[end:])


def _address(word: str) -> str:
    core = word.strip("<>()[]{},;:.!?\"'*")
    local, at, domain = core.partition("@")
    simple = all(c.isalnum() or c in ".-" for c in domain) and all(c.isalnum() or c in ".+_-=/%'" for c in local)
    if not at or not local or "." not in domain.strip(".") or not simple or len(core) > 254:
        return escape(word)
    start = word.find(core)
    return escape(word[:start]) + _anchor(f"mailto:{core}", core) + escape(word[start + len(core) :])


def _end(word: str, start: int) -> int:
    """Return where a URL ends: before closing punctuation that belongs to the sentence."""
    end = len(word)
    for mark in ("<", ">", '"', "「", "」", "（", "）", "。", "、"):
        at = word.find(mark, start)
        end = at if 0 <= at < end else end
    opened = {mark: word.count(_PAIRS[mark], start, end) - word.count(mark, start, end) for mark in _PAIRS}
    while end > start:
        last = word[end - 1]
        if last in _PAIRS and opened[last] < 0:
            opened[last] += 1
        elif last not in _AFTER:
            break
        end -= 1
    return end


def _anchor(target: str, shown: str) -> str:
    href = escape(target)
    return f'<a href="{href}" title="{href}" target="_blank" rel="noopener noreferrer nofollow">{escape(shown)}</a>'
