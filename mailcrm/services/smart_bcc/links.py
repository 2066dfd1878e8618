"""The link that confirms an alternative address: signed, for one row, expiring, and good once (M22).

    id.expires.nonce.mac        the nonce's hash stands in the row until it was used or a newer one was sent

The signature and the end are looked at before the database is. Does not send anything.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
import secrets
from datetime import datetime, timedelta

from mailcrm.config import config
from mailcrm.services import crypto

LIFETIME = timedelta(days=3)
_PURPOSE = "alternative-address"
_TOKEN = re.compile(r"(\d{1,18})\.(\d{1,12})\.([A-Za-z0-9_-]{43})\.([A-Za-z0-9_-]{43})")


def make(row_id: int, now: datetime) -> tuple[str, str]:
    """Return a token for a row, and the hash to keep of it."""
    nonce = secrets.token_urlsafe(32)
    said = f"{row_id}.{int((now + LIFETIME).timestamp())}.{nonce}"
    return f"{said}.{_mac(config().secret_keys[0], said)}", crypto.digest(nonce)


def read(token: str, now: datetime) -> tuple[int, str] | None:
    """Return the row and the hash that a token is for; None for one that is not ours, changed, or too old."""
    found = _TOKEN.fullmatch(token)
    if found is None:
        return None
    said = token.rpartition(".")[0]
    if not any(hmac.compare_digest(_mac(key, said), found[4]) for key in config().secret_keys):
        return None
    if int(found[2]) < now.timestamp() or int(found[1]) >= 2**63:
        return None
    return int(found[1]), crypto.digest(found[3])


def _mac(secret: str, said: str) -> str:
    made = hmac.new(crypto.derive(secret, _PURPOSE), said.encode(), hashlib.sha256).digest()
    return base64.urlsafe_b64encode(made).decode().rstrip("=")
