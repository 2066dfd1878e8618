"""Tells pictures that only report that an email was opened from those that somebody should see. Pure.

Two signs: the address is one of a known service (`trackers.toml`, a small list of our own), or the picture is said to
be one pixel or invisible. Unknown trackers stay pictures: the proxy that fetches them says neither who nor where.
"""

from __future__ import annotations

import functools
import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

_LIST = Path(__file__).with_name("trackers.toml")
_TINY = re.compile(r"\s*0*[01](?:\.\d+)?\s*(?:px)?\s*")
_HIDDEN = re.compile(r"(?:^|[;\s])(?:display\s*:\s*none|visibility\s*:\s*hidden)", re.IGNORECASE)
_STYLED = re.compile(r"(?:^|[;\s])(width|height)\s*:\s*([\d.]+)\s*(px)?\s*(?:!important\s*)?(?=;|$)", re.IGNORECASE)


def is_tracker(url: str, attributes: Mapping[str, str]) -> bool:
    """Whether a remote picture only reports an opening; `attributes` are the image's own, as they came."""
    return _is_unseen(attributes) or is_known(url)


def is_known(url: str) -> bool:
    """Whether the address is one of a known service."""
    try:
        parts = urlsplit(url)
        host = (parts.hostname or "").lower().rstrip(".")
    except ValueError:
        return False
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    everywhere, by_host = _known()
    if any(pattern.match(path) for pattern in everywhere):
        return True
    labels = host.split(".")
    for at in range(max(len(labels) - 1, 0)):  # "a.b.example.com", "b.example.com", "example.com"
        found = by_host.get(".".join(labels[at:]))
        if found is not None and any(pattern.match(path) for pattern in found):
            return True
    return False


def _is_unseen(attributes: Mapping[str, str]) -> bool:
    style = attributes.get("style", "")
    if _HIDDEN.search(style):
        return True
    sides = {name: attributes.get(name, "") for name in ("width", "height")}
    for name, size, unit in _STYLED.findall(style):
        sides[name.lower()] = f"{size}{unit}"
    return all(side and _TINY.fullmatch(side) for side in sides.values())


@functools.cache
def _known() -> tuple[tuple[re.Pattern[str], ...], dict[str, tuple[re.Pattern[str], ...]]]:
    rows: list[dict[str, Any]] = tomllib.loads(_LIST.read_text(encoding="utf-8"))["tracker"]
    everywhere: list[re.Pattern[str]] = []
    by_host: dict[str, tuple[re.Pattern[str], ...]] = {}
    for row in rows:
        pattern = re.compile(row.get("path", "/"))
        if not row.get("hosts"):
            everywhere.append(pattern)
        for host in row.get("hosts", ()):
            by_host[host] = (*by_host.get(host, ()), pattern)
    return tuple(everywhere), by_host
