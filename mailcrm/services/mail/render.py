"""A message body as the document that the reading frame shows.

HTML is cleaned in a limited process (`render_pool.py`) and cached by content; text, or
HTML that could not be cleaned, is shown as text. The document needs no script: the
page around the frame reads its height. Does not authorise and sends no headers
(`endpoints/messages.py`). decisions.md 1, security.md F1 to F5.
"""

from __future__ import annotations

import re
import secrets
import threading
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from html import escape, unescape
from typing import Literal
from urllib.parse import unquote

from mailcrm.services.mail.parse.html import MAX_HTML, POLICY_VERSION
from mailcrm.services.mail.parse.plain import plain_to_html
from mailcrm.services.mail.parse.quoted_html import fold_quotes
from mailcrm.services.mail.render_pool import POOL, WorkerFailed

Theme = Literal["light", "dark"]

_CACHE_CHARS = 32_000_000  # about 64 MB of memory
_MAX_CIDS = 300
_CID = re.compile(r"cid:([^\"'\s<>)]{1,998})", re.IGNORECASE)
_OWN_COLOURS = re.compile(r"\sbgcolor=|\scolor=|background(?:-color)?:\s*(?!transparent|none|inherit)|[;\"\s]color:")
_KANA = re.compile("[\u3041-\u30ff]")


@dataclass(frozen=True, slots=True)
class Labels:
    """The words in the document, translated by the caller."""

    quote: str = "Quoted text"
    fallback: str = "This message is shown as plain text, because its formatting can’t be displayed safely."
    cut: str = "The rest of this message is too long to show. Download it to read it all."


@dataclass(frozen=True, slots=True)
class RenderedBody:
    """A whole HTML document, how many remote images it left out, whether it is a fallback, what trackers it dropped."""

    document: str
    blocked_images: int
    fallback: bool
    trackers: int = 0
    body: str = ""  # what the document holds, for a page of several


@dataclass(frozen=True, slots=True)
class _Cleaned:
    html: str | None  # None: could not be cleaned
    blocked: int
    trackers: int = 0
    #: Addresses of remote images: number n stands as src="{mark}-{n}". No address of ours: the cache knows no message.
    remote: tuple[str, ...] = ()
    mark: str = ""


def render_body(
    html: str | None,
    text: str,
    *,
    content_hash: str,
    remote_images: bool,
    attachment_url: Callable[[str], str | None],
    remote_url: Callable[[str], str] | None = None,
    theme: Theme = "light",
    labels: Labels | None = None,
    forwarded: bool = False,
    whole: bool = False,
    paper: bool = False,
) -> RenderedBody:
    """Return the document for a body; never raises for what a message holds.

    `attachment_url` turns a Content-ID into a URL; return relative URLs, because the
    cache is shared by all copies of the content. `remote_url` turns the address of a
    remote image into one of ours; without it there are none, as without `remote_images`. Quotes are folded,
    unless it is `forwarded`: then they are what the reader needs, or to be shown `whole`. `paper` keeps white
    paper under it, as mail with colours of its own always has. Costs up to 2 s of CPU, in a process
    of its own, the first time; failures are cached too.
    """
    labels = labels or Labels()

    folded = not (forwarded or whole)

    def plain() -> str:
        return plain_to_html(text, quote_label=labels.quote, cut_label=labels.cut, folded=folded)

    if html is None or not html.strip():
        body = plain()
        return RenderedBody(document_of(body, theme, paper=paper), 0, False, body=body)
    cleaned = _clean(html, content_hash, remote_images and remote_url is not None, attachment_url)
    if cleaned.html is None:
        note = f'<p class="note">{escape(labels.fallback)}</p>'
        body = note + plain()
        return RenderedBody(document_of(body, theme), 0, True, body=body)
    paper = paper or _OWN_COLOURS.search(cleaned.html) is not None
    shown = fold_quotes(_with_images(cleaned, remote_url), cleaned.mark, labels.quote, folded=folded)
    document = document_of(shown, "light" if paper else theme, paper=paper)
    return RenderedBody(document, cleaned.blocked, False, cleaned.trackers, shown)


def notice(text: str, theme: Theme = "light") -> str:
    """Return a document that only says something."""
    return document_of(f'<p class="note">{escape(text)}</p>', theme)


def _clean(html: str, content_hash: str, remote_images: bool, attachment_url: Callable[[str], str | None]) -> _Cleaned:
    key = (content_hash, POLICY_VERSION, remote_images)
    found = _CACHE.get(key)
    if found is None:
        found = _ask(html, remote_images, attachment_url)
        _CACHE.put(key, found)
    return found


def _with_images(cleaned: _Cleaned, remote_url: Callable[[str], str] | None) -> str:
    """Put addresses of ours where remote images are to be."""
    html = cleaned.html or ""
    if not cleaned.remote or remote_url is None:
        return html
    ours = [escape(remote_url(url)) for url in cleaned.remote]
    return re.sub(rf'src="{cleaned.mark}-(\d+)"', lambda found: f'src="{ours[int(found[1])]}"', html)


def _ask(html: str, remote_images: bool, attachment_url: Callable[[str], str | None]) -> _Cleaned:
    if len(html) > MAX_HTML:
        return _Cleaned(None, 0)
    mark = secrets.token_hex(8)  # or a message's own text could be taken for an image of it
    asked = {"html": html, "remote_images": remote_images, "cids": _cids(html, attachment_url), "mark": mark}
    try:
        answer = POOL.ask(asked)
    except WorkerFailed:
        return _Cleaned(None, 0)
    if "failed" in answer:
        return _Cleaned(None, 0)
    return _Cleaned(answer["html"], answer["blocked"], answer["trackers"], tuple(answer["remote"]), mark)


def _cids(html: str, attachment_url: Callable[[str], str | None]) -> dict[str, str]:
    found: dict[str, str] = {}
    for match in _CID.finditer(html):
        cid = unescape(match[1])
        for name in (cid, unquote(cid)):
            url = attachment_url(name) if name not in found else None
            if url:
                found[name] = url
        if len(found) >= _MAX_CIDS:
            break
    return found


class _Cache:
    """Least recently used first out, bounded by characters. Thread-safe."""

    def __init__(self, limit: int) -> None:
        self._limit, self._used = limit, 0
        self._lock = threading.Lock()
        self._held: OrderedDict[tuple[str, int, bool], _Cleaned] = OrderedDict()

    def get(self, key: tuple[str, int, bool]) -> _Cleaned | None:
        with self._lock:
            found = self._held.get(key)
            if found is not None:
                self._held.move_to_end(key)
            return found

    def put(self, key: tuple[str, int, bool], value: _Cleaned) -> None:
        with self._lock:
            if key in self._held:
                return
            self._held[key] = value
            self._used += _weight(value)
            while self._used > self._limit and self._held:
                self._used -= _weight(self._held.popitem(last=False)[1])

    def clear(self) -> None:
        with self._lock:
            self._held.clear()
            self._used = 0


def _weight(value: _Cleaned) -> int:
    return len(value.html or "") + sum(map(len, value.remote)) + 200


_CACHE = _Cache(_CACHE_CHARS)


def document_of(body: str, theme: Theme = "light", *, paper: bool = False) -> str:
    """Return the whole document around a body that is already safe; `paper` keeps it white."""
    sample = body[:20_000]
    japanese = len(_KANA.findall(sample)) > 10
    language = ' lang="ja"' if japanese else ""
    kind = "paper" if paper else "plain"
    return (
        f'<!doctype html><html{language} data-theme="{theme}" class="{kind}"><head><meta charset="utf-8">'
        f'<meta name="viewport" content="width=device-width"><meta name="color-scheme" content="{theme}">'
        f'<style>{FONTS}{_STYLE}</style></head><body><div class="mail">{body}</div></body></html>'
    )


# DESIGN.md: email body 14/22, Japanese 14/25; slate 12 and 11, indigo links; designed mail keeps white paper.
FONTS = "".join(
    f"@font-face{{font-family:Inter;font-weight:100 900;font-display:swap;"
    f"src:url(/assets/mail-inter-{script}.woff2) format('woff2');unicode-range:{characters}}}"
    for script, characters in (
        ("latin", "U+0000-00FF,U+0131,U+0152-0153,U+02BB-02DC,U+2000-206F,U+20AC,U+2122,U+2190-2193,U+2212,U+2215"),
        ("latin-ext", "U+0100-02BA,U+1E00-1E9F,U+1EF2-1EFF,U+20A0-20AB,U+20AD-20C0,U+2C60-2C7F,U+A720-A7FF"),
        ("cyrillic", "U+0301,U+0400-045F,U+0490-0491,U+04B0-04B1,U+2116"),
        ("greek", "U+0370-0377,U+037A-037F,U+0384-038A,U+038C,U+038E-03A1,U+03A3-03FF"),
    )
)
_STYLE = """
:root{color-scheme:light}
html[data-theme=dark]{color-scheme:dark}
html{-webkit-text-size-adjust:100%}
body{margin:0;background:transparent;color:#1c2024;font:14px/22px Inter,system-ui,-apple-system,"Segoe UI",Roboto,
"Noto Sans","Noto Sans Arabic","Noto Sans Hebrew",sans-serif;overflow-wrap:anywhere}
html:lang(ja) body{line-height:25px;line-break:strict;font-family:Inter,"Hiragino Sans","Noto Sans JP","Yu Gothic UI",
Meiryo,system-ui,sans-serif}
html[data-theme=dark] body{color:#edeef0}
html.paper body{background:#fff;color:#1c2024}
html.paper .mail{padding:12px}
.mail{overflow-x:auto;overflow-y:hidden;contain:paint}
.mail>:first-child{margin-top:0}.mail>:last-child{margin-bottom:0}
p{margin:0 0 12px}
img{max-width:100%;height:auto}
table{max-width:100%}
pre{white-space:pre-wrap;font-size:13px}
a[data-to]::after{content:" [" attr(data-to) "]";font-size:12px;color:#60646c;unicode-bidi:isolate;direction:ltr}
html[data-theme=dark] a[data-to]::after{color:#b0b4ba}
a{color:#3a5bc7}html[data-theme=dark] a{color:#9eb1ff}
blockquote{margin:8px 0;padding-inline-start:12px;border-inline-start:2px solid #d9d9e0;color:#60646c}
html[data-theme=dark] blockquote{border-color:#43484e;color:#b0b4ba}
summary{display:inline-block;cursor:pointer;padding:0 8px;border-radius:6px;background:#f0f0f3;color:#60646c;
font-size:12px;list-style:none}
summary::-webkit-details-marker{display:none}
html[data-theme=dark] summary{background:#212225;color:#b0b4ba}
details{margin:8px 0}details[open]>summary{margin-bottom:8px}
.note{padding:8px 12px;border-radius:6px;background:#f0f0f3;color:#60646c;font-size:13px}
html[data-theme=dark] .note{background:#212225;color:#b0b4ba}
""".strip().replace("\n", "")
