"""Signs what is sent to webhooks, as standardwebhooks.com says, so that receivers may use its libraries. Pure.

    webhook-id: evt_…                  the same for every try of one event
    webhook-timestamp: 1700000000      seconds; refuse what is older than five minutes
    webhook-signature: v1,<base64>     HMAC-SHA256 of "{id}.{timestamp}.{body}"; a receiver compares in constant time

The key is what follows "whsec_" in the secret, base64-decoded.
"""

from __future__ import annotations

import base64
import hmac
import secrets

PREFIX = "whsec_"
KEY_BYTES = 32


def new_secret() -> str:
    """Make a secret of 256 bits."""
    return PREFIX + base64.b64encode(secrets.token_bytes(KEY_BYTES)).decode()


def headers(secret: str, event_id: str, timestamp: int, body: bytes) -> dict[str, str]:
    """Return the three headers of a delivery."""
    return {
        "webhook-id": event_id,
        "webhook-timestamp": str(timestamp),
        "webhook-signature": f"v1,{signature(secret, event_id, timestamp, body)}",
    }


def signature(secret: str, event_id: str, timestamp: int, body: bytes) -> str:
    """Return the base64 of the HMAC."""
    key = base64.b64decode(secret.removeprefix(PREFIX))
    return base64.b64encode(hmac.digest(key, f"{event_id}.{timestamp}.".encode() + body, "sha256")).decode()
