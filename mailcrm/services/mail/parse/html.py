"""Clean mail HTML for display: bleach, hardened as security.md F1 to F5 found necessary.

Order: caps (length, nesting) in a linear scan; selectolax removes elements whose
content is no text (script, style, title, svg …), and what style sheets said is written
into the others (sheets.py); bleach with positive lists of elements, attributes and CSS; then every URL against our own check. Does not limit CPU:
bleach is quadratic on hostile input, so callers run it in `render.py`'s worker. Never
the only wall: the frame's policy and sandbox are the second.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from html import escape, unescape
from typing import Any

from bleach.sanitizer import Cleaner
from selectolax.lexbor import LexborHTMLParser

from mailcrm.services.mail.parse.charsets import safe_text
from mailcrm.services.mail.parse.css import StyleFilter
from mailcrm.services.mail.parse.deception import true_target
from mailcrm.services.mail.parse.links import image_data, is_own_pixel, safe_link, web_url
from mailcrm.services.mail.parse.quoted_html import mark_quotes, settle_quotes
from mailcrm.services.mail.parse.sheets import inline_sheets
from mailcrm.services.mail.parse.text import tokens
from mailcrm.services.mail.parse.trackers import is_tracker
from mailcrm.services.mail.parse.values import words

POLICY_VERSION = 5  # raise on a change of this file, css.py, sheets.py, links.py, deception.py, quoted_html.py, trackers.*: it empties the caches
MAX_HTML = 2_000_000  # characters; the largest of 400 real mails had 2.6 MB and took bleach 1.8 s
MAX_REMOTE = 300  # images from the network in one message; the richest of 400 newsletters had 94
MAX_NESTING = 400  # real newsletters nest tables about 40 deep, with four elements each

_REMOVED = words(
    "script style title template noscript iframe frame frameset noframes object embed applet param svg math audio "
    "video source track canvas map area textarea select option button input datalist meta link base basefont "
    "bgsound xmp plaintext noembed portal dialog marquee"
)
_TAGS = words(
    "a abbr address article aside b bdi bdo big blockquote br caption center cite code col colgroup dd del details "
    "dfn div dl dt em figcaption figure font footer h1 h2 h3 h4 h5 h6 header hr i img ins kbd li main mark nobr ol "
    "p pre q rp rt ruby s samp section small span strike strong sub summary sup table tbody td tfoot th thead time "
    "tr tt u ul var wbr"
)
_VOID = words("br col hr img wbr input meta link area base embed param source track")
_IMPLIED = frozenset(
    ["p", "li", "td", "th", "tr", "tbody", "thead", "tfoot", "dt", "dd", "option"]
)  # often left open, closed by the next
_DIRECTED = words("p div li td th h1 h2 h3 h4 h5 h6 blockquote dd dt pre caption figcaption")
_ANYWHERE = frozenset(("style", "dir", "lang", "align"))
_SIZES = frozenset(("width", "height", "border", "cellpadding", "cellspacing", "hspace", "vspace"))
_ATTRIBUTES: dict[str, frozenset[str]] = {
    "a": frozenset(("href",)),
    "img": frozenset(("src", "alt", "width", "height", "border", "hspace", "vspace")),
    "font": frozenset(("color", "face", "size")),
    "ol": frozenset(("start", "type")),
    "ul": frozenset(("type",)),
    "li": frozenset(("value", "type")),
    "hr": frozenset(("width", "size", "color")),
    "table": frozenset(("width", "height", "border", "cellpadding", "cellspacing", "bgcolor")),
}
#: Attributes of the body -> properties.
_PAPER = (("bgcolor", "background-color"), ("text", "color"))
_CELL = frozenset(("width", "height", "bgcolor", "valign", "colspan", "rowspan", "nowrap", "span"))
_CELLS = words("tr td th thead tbody tfoot col colgroup")
_PLAIN_VALUE = re.compile(r"[\w#%.,+ '-]{0,80}")
_SIZE_VALUE = re.compile(r"\d{1,4}(?:\.\d{1,3})?(?:px|%)?")


class UncleanableHtml(ValueError):
    """Say that HTML passed a cap or made the cleaner fail: show the text instead."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


@dataclass(frozen=True, slots=True)
class CleanHtml:
    """A fragment that is safe in the frame, and what became of its remote images.

    `remote` are the addresses of those that may be shown: number n stands in the fragment as `src="{mark}-{n}"`, and
    whoever shows it puts an address of ours there. `trackers` were dropped in any case. Where a reply quotes, `{mark}-open`
    and `{mark}-close` stand around the quote, for `quoted_html.fold_quotes`.
    """

    html: str
    blocked_images: int
    policy_version: int
    trackers: int = 0
    remote: tuple[str, ...] = ()


def clean_html(
    html: str, *, remote_images: bool, cid_url: Callable[[str], str | None], mark: str = "remote"
) -> CleanHtml:
    """Return the cleaned fragment. Raises UncleanableHtml.

    `cid_url` turns a Content-ID into our URL of that image, None to leave it out; `mark` as in CleanHtml: letters and
    digits that a sender can't guess, where what is made of it matters.
    """
    _check_caps(html)
    try:
        finish = _Finish(remote_images, cid_url, mark)
        cleaned = settle_quotes(_cleaner(finish).clean(_prepare(html, mark)), mark)
    except RecursionError as error:
        raise UncleanableHtml("The message is nested too deeply.") from error
    except Exception as error:  # html5lib asserts and indexes its way through hostile input
        raise UncleanableHtml(f"The message cannot be cleaned ({type(error).__name__}).") from error
    return CleanHtml(safe_text(cleaned).strip(), finish.blocked, POLICY_VERSION, finish.trackers, tuple(finish.remote))


def _check_caps(html: str) -> None:
    if len(html) > MAX_HTML:
        raise UncleanableHtml("The message is too large to show with its formatting.")
    depth = 0
    for kind, name in tokens(html):
        if kind == "open" and name not in _VOID and name not in _IMPLIED:
            depth += 1
            if depth > MAX_NESTING:
                raise UncleanableHtml("The message is nested too deeply.")
        elif kind == "close" and name not in _IMPLIED:
            depth = max(0, depth - 1)


def _prepare(html: str, mark: str) -> str:
    tree = LexborHTMLParser(safe_text(html))
    sheets = [(node.attributes.get("media") or "", node.text()) for node in tree.css("style")]
    tree.strip_tags(sorted(_REMOVED))
    if sheets and tree.html:
        tree = LexborHTMLParser(inline_sheets(tree.html, sheets))
    body = tree.body
    if body is None:
        return ""
    mark_quotes(body, mark)
    inner = body.inner_html or ""
    kept = {name: value for name, value in body.attributes.items() if name in ("dir", "lang")}
    kept["style"] = _paper(body.attributes)
    if not any(kept.values()):
        return inner
    attributes = "".join(f' {name}="{escape(value or "")}"' for name, value in kept.items())
    return f"<div{attributes}>{inner}</div>"


def _paper(body: Mapping[str, str | None]) -> str:
    """The style of a whole message, which only its body has: white letters need the dark paper they were written on."""
    said = [f"{prop}: {colour.strip()}" for name, prop in _PAPER if (colour := body.get(name) or "")]
    return "; ".join([*said, *filter(None, [body.get("style")])])


def _cleaner(finish: _Finish) -> Cleaner:
    return Cleaner(
        tags=_TAGS,
        attributes=_keeps,
        protocols=frozenset(("http", "https", "mailto", "tel", "cid", "data")),
        strip=True,
        strip_comments=True,
        css_sanitizer=StyleFilter(),
        filters=[finish.over],
    )


def _keeps(tag: str, name: str, value: str) -> bool:
    allowed = _ATTRIBUTES.get(tag, _CELL if tag in _CELLS else frozenset[str]())
    if name not in _ANYWHERE and name not in allowed:
        return False
    if name in _SIZES:
        return _SIZE_VALUE.fullmatch(value.strip()) is not None
    if name == "dir":
        return value.strip().lower() in ("ltr", "rtl", "auto")
    return name in ("style", "href", "src", "alt") or _PLAIN_VALUE.fullmatch(value) is not None


class _Tokens:
    """What the serializer wants of a filter: an iterable of tokens."""

    def __init__(self, tokens: Iterator[dict[str, Any]]) -> None:
        self._tokens = tokens

    def __iter__(self) -> Iterator[dict[str, Any]]:
        return self._tokens


class _Finish:
    """The last pass over bleach's tokens: links, images, direction."""

    def __init__(self, remote_images: bool, cid_url: Callable[[str], str | None], mark: str) -> None:
        self.remote_images = remote_images
        self.cid_url = cid_url
        self.mark = mark
        self.blocked = 0
        self.trackers = 0
        self.remote: dict[str, int] = {}  # address -> its number

    def over(self, source: Any) -> Any:
        """Return the html5lib filter that bleach puts after its own."""
        return _Tokens(_with_targets(self.run(iter(source))))

    def run(self, stream: Iterator[dict[str, Any]]) -> Iterator[dict[str, Any]]:
        directed: list[bool] = []
        for token in stream:
            kind = token["type"]
            if kind in ("StartTag", "EmptyTag"):
                name, data = token["name"], token["data"]
                if name == "a":
                    self._link(data)
                elif name == "img" and not self._image(data):
                    continue
                if not data.get((None, "style"), "x"):
                    del data[None, "style"]
                has = (None, "dir") in data or "direction:" in data.get((None, "style"), "")
                inside = bool(directed) and directed[-1]
                if name in _DIRECTED and not has and not inside:
                    data[None, "dir"] = "auto"
                if kind == "StartTag":
                    directed.append(inside or has)
            elif kind == "EndTag" and directed:
                directed.pop()
            yield token

    def _link(self, data: dict[tuple[str | None, str], str]) -> None:
        target = safe_link(unescape(data.pop((None, "href"), "")))
        if target is None:
            return
        data[None, "href"] = escape(target)
        data[None, "title"] = escape(target if len(target) <= 300 else target[:299] + "…")
        data[None, "target"] = "_blank"
        data[None, "rel"] = "noopener noreferrer nofollow"

    def _image(self, data: dict[tuple[str | None, str], str]) -> bool:
        """Set a source that may load; say whether the image stays (its text may)."""
        source = unescape(data.pop((None, "src"), "")).strip()
        if is_own_pixel(source):
            return False
        target = None
        if source[:4].lower() == "cid:":
            target = self.cid_url(source[4:].strip().strip("<>"))
        elif source[:5].lower() == "data:":
            target = image_data(source)
        else:
            remote = web_url(source)
            if remote and is_tracker(remote, {name: unescape(value) for (_, name), value in data.items()}):
                self.trackers += 1
                return False
            if remote and self.remote_images and (remote in self.remote or len(self.remote) < MAX_REMOTE):
                target = f"{self.mark}-{self.remote.setdefault(remote, len(self.remote))}"
            elif remote:
                self.blocked += 1
        if target is not None:
            data[None, "src"] = escape(target)
        return target is not None or bool(data.get((None, "alt"), "").strip())


def _with_targets(stream: Iterator[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """Say beside a link where it leads when its text names another host (threat 4): the frame's style shows `data-to`."""
    held: list[dict[str, Any]] = []  # a link that is not closed yet; html5lib nests none in another
    for token in stream:
        if not held and not (token["type"] == "StartTag" and token["name"] == "a"):
            yield token
            continue
        held.append(token)
        if token["type"] == "EndTag" and token["name"] == "a":
            yield from _told(held)
            held = []
    yield from _told(held)


def _told(link: list[dict[str, Any]]) -> list[dict[str, Any]]:
    data: dict[tuple[str | None, str], str] = link[0]["data"] if link else {}
    target = unescape(data.get((None, "href"), ""))
    if target:
        said = "".join(each["data"] for each in link if each["type"] in ("Characters", "SpaceCharacters"))
        host = true_target(unescape(said)[:300], target)
        if host:
            data[None, "data-to"] = escape(host)
    return link
