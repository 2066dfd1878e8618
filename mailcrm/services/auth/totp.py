"""Codes of authenticator apps: RFC 6238 with SHA-1, six digits and thirty seconds, which all of them know. Pure.

Checked against the RFC's own vectors. Does not know which codes were used already (second.py).
"""

from __future__ import annotations

import base64
import hmac
from urllib.parse import quote, urlencode

STEP_S = 30
DIGITS = 6
SECRET_BYTES = 20  # RFC 4226 §4, R6: as long as SHA-1's answer
DRIFT = 1  # RFC 6238 §5.2: one step before and after, for clocks and slow fingers


def code(secret: bytes, step: int, digits: int = DIGITS) -> str:
    """Return the code of a time step (RFC 4226 §5.3)."""
    mac = hmac.digest(secret, step.to_bytes(8, "big"), "sha1")
    offset = mac[-1] & 15
    number = int.from_bytes(mac[offset : offset + 4], "big") & 0x7FFFFFFF
    return f"{number % 10**digits:0{digits}d}"


def step_of(given: str, secret: bytes, now: float, *, after: int = 0) -> int | None:
    """Return the time step that a code is of, None where it fits none after `after`. Looks at every one of them."""
    today, found = int(now) // STEP_S, None
    typed = given.encode()
    for step in range(max(0, today - DRIFT), today + DRIFT + 1):
        if hmac.compare_digest(code(secret, step).encode(), typed) and step > after and found is None:
            found = step
    return found


def written(secret: bytes) -> str:
    """Return a secret as apps take it typed: base32 in groups of four."""
    text = base64.b32encode(secret).decode().rstrip("=")
    return " ".join(text[start : start + 4] for start in range(0, len(text), 4))


def uri(secret: bytes, account: str, issuer: str) -> str:
    """Return the address that a QR code holds for apps (the "Key Uri Format" of Google Authenticator)."""
    label = f"{quote(issuer, safe='')}:{quote(account, safe='@')}"
    query = urlencode({"secret": written(secret).replace(" ", ""), "issuer": issuer}, quote_via=quote)
    return f"otpauth://totp/{label}?{query}"
