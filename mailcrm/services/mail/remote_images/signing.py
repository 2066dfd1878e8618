"""Addresses of ours that stand for images on the network: made for one message and one user, and read again.

The MAC binds user, message and URL: nobody makes our server fetch what no message of theirs holds, and an address that
is passed on is worth nothing to somebody else. Does not fetch and knows no database.
"""

from __future__ import annotations

import base64
import binascii
import hmac
from urllib.parse import urlencode

from mailcrm.config import config
from mailcrm.services.crypto import derive

MAC_BYTES = 16
MOST_URL = 8000  # characters, as parse/links.py allows


def query(user_id: int, message_id: int, url: str) -> str:
    """Return the query of the proxy's route: `u` the URL, `s` the signature."""
    key = derive(config().secret_keys[0], "remote image")
    return urlencode({"u": _encode(url.encode()), "s": _encode(_mac(key, user_id, message_id, url))})


def read(user_id: int, message_id: int, u: str, s: str) -> str | None:
    """Return the URL that was signed for this user and message; None for anything else. Never raises on any text."""
    if not u.isascii() or not s.isascii() or len(u) > MOST_URL * 2 or len(s) > 64:
        return None
    try:
        url, given = _decode(u).decode(), _decode(s)
    except (binascii.Error, ValueError):
        return None
    keys = (derive(secret, "remote image") for secret in config().secret_keys)
    fits = [hmac.compare_digest(_mac(key, user_id, message_id, url), given) for key in keys]
    return url if any(fits) else None


def _mac(key: bytes, user_id: int, message_id: int, url: str) -> bytes:
    return hmac.digest(key, f"{user_id}\n{message_id}\n{url}".encode(), "sha256")[:MAC_BYTES]


def _encode(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def _decode(text: str) -> bytes:
    return base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
