"""URLs in mail: a positive check, because bleach's passes `javascript:123` (security.md F2).

Only absolute http, https, mailto and tel links count. Does not fetch or resolve.
"""

from __future__ import annotations

import re
from urllib.parse import urlsplit

# Browsers drop tabs and newlines inside a URL, and people do not see the others.
_INVISIBLE = re.compile(
    "[\x00-\x1f\x7f-\x9f\u00ad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb]"
)
_WEB = re.compile(r"https?://[^\s/?#\\@\"'<>]+(?:@[^\s/?#\\@\"'<>]+)?(?:[/?#].*)?", re.IGNORECASE)
_MAIL = re.compile(r"mailto:[^\s<>\"'\\]{1,2000}", re.IGNORECASE)
_TEL = re.compile(r"tel:[+0-9(). ;=a-z-]{1,80}", re.IGNORECASE)
_IMAGE_DATA = re.compile(r"data:image/(?:png|gif|jpeg|webp);base64,[A-Za-z0-9+/]+={0,2}", re.IGNORECASE)
#: A token of tracking/tokens.py by its shape: 40 bytes in base64url, the first of which is the version, 1.
OWN_SHAPE = "A[Q-Za-f][A-Za-z0-9_-]{52}"
_OWN_PIXEL = re.compile(r"(?:/|%2f)t(?:/|%2f)o(?:/|%2f)", re.IGNORECASE)
_MAX_URL = 8000  # characters; Chromium shows 2 MB, mail programs about 8 KB


def visible(url: str) -> str:
    """Return a URL without controls, zero-width characters and spaces around it."""
    return _INVISIBLE.sub("", url).strip()


def safe_link(url: str) -> str | None:
    """Return a link to follow in a new tab, or None."""
    url = visible(url)
    if len(url) > _MAX_URL:
        return None
    if _MAIL.fullmatch(url) or _TEL.fullmatch(url):
        return url
    return web_url(url)


def web_url(url: str) -> str | None:
    """Return an absolute http or https URL with a plain host, or None."""
    url = visible(url)
    if len(url) > _MAX_URL or not _WEB.fullmatch(url):
        return None
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname or "", parts.port  # .port raises on nonsense
        ascii_host = host if host.isascii() else host.encode("idna").decode("ascii")
    except ValueError:
        return None
    if not host or "%" in host:
        return None
    if ascii_host != host:  # homographs show as xn--
        url = url.replace(parts.netloc, parts.netloc.lower().replace(host, ascii_host), 1)
    return url.replace(" ", "%20").replace('"', "%22").replace("<", "%3C").replace(">", "%3E")


def image_data(url: str) -> str | None:
    """Return a data: URL of a raster image, or None."""
    url = visible(url).replace(" ", "")
    return url if _IMAGE_DATA.fullmatch(url) else None


def is_own_pixel(url: str) -> bool:
    """Say whether a URL is one of mailcrm's own tracking pixels: never shown, or we'd open our own mail.

    Known by its path, on whatever host (there may have been other tracking URLs), also inside another URL (mail
    programs quote it through their image proxy).
    """
    return _OWN_PIXEL.search(url) is not None
