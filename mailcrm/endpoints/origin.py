"""Which site a request may come from (security.md F16): ours, and nobody else's.

Pure. Used for the socket's allow-list and by every route that changes something.
"""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import urlsplit

LOOPBACK = ("localhost", "127.0.0.1", "[::1]")


def allowed_origins(public_url: str) -> tuple[str, ...]:
    """The origins that are ours. A loopback address has three spellings, and people type all of them."""
    parts = urlsplit(public_url)
    host = f"[{parts.hostname}]" if ":" in (parts.hostname or "") else parts.hostname or ""
    port = f":{parts.port}" if parts.port else ""
    names = LOOPBACK if host in LOOPBACK else (host,)
    return tuple(f"{parts.scheme}://{name}{port}" for name in names)


def is_own(headers: Mapping[str, str], public_url: str) -> bool:
    """True when a state-changing request came from one of our own pages.

    Browsers send Origin with every POST; a request without it, and without Fetch Metadata that says same-origin, is
    refused.
    """
    origin = headers.get("origin", "")
    if origin and origin != "null":
        return origin in allowed_origins(public_url)
    return headers.get("sec-fetch-site", "") == "same-origin"
