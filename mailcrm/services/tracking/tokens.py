"""Tokens in pixel and link URLs: made and read, without a database.

A token is `version | key id | purpose | position | nonce | MAC`, in base64url without padding (55 characters). The
nonce has 128 random bits and names the tracked message; the MAC (HMAC-SHA-256, 16 bytes) lets junk be refused without
a query. A token holds no destination, no id and no address: the link's URL is looked up (security.md threats 7, 8).
Several configured keys = rotation: the first signs, all verify. A key that sent mail is kept for ever (T10).
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import secrets
import struct
from dataclasses import dataclass
from typing import Literal

from mailcrm.config import config
from mailcrm.services.crypto import derive

Purpose = Literal["open", "click"]

VERSION = 1
NONCE_BYTES = 16  # 128 bits: cannot be guessed, does not collide
MAC_BYTES = 16
MAX_POSITION = 0xFFFF

_HEAD = struct.Struct(">B4sBH")  # version, key id, purpose, position
_PURPOSES: dict[Purpose, int] = {"open": 1, "click": 2}
_SIZE = _HEAD.size + NONCE_BYTES + MAC_BYTES
_LENGTH = (_SIZE * 4 + 2) // 3


@dataclass(frozen=True)
class Token:
    """What a verified token says; `nonce` as in `TrackedMessage.nonce`, `position` is 0 for a pixel."""

    purpose: Purpose
    nonce: str
    position: int


def new_nonce() -> str:
    """Make the random part of a tracked message's tokens."""
    return _encode(secrets.token_bytes(NONCE_BYTES))


def make(purpose: Purpose, nonce: str, position: int = 0, *, secret: str | None = None) -> str:
    """Make a token; `secret` defaults to the configured key that signs."""
    key = derive(secret or config().secret_keys[0], "tracking")
    body = _HEAD.pack(VERSION, _key_id(key), _PURPOSES[purpose], position) + _decode(nonce)
    return _encode(body + _mac(key, body))


def read(token: str, *, purpose: Purpose, secret_keys: tuple[str, ...] | None = None) -> Token | None:
    """Verify a token; None for anything that was not made here, for this purpose. Never raises on any text."""
    if len(token) != _LENGTH or not token.isascii():
        return None
    try:
        raw = _decode(token)
    except (binascii.Error, ValueError):
        return None
    if len(raw) != _SIZE or _encode(raw) != token:  # one spelling for each token
        return None
    body, mac = raw[:-MAC_BYTES], raw[-MAC_BYTES:]
    version, key_id, kind, position = _HEAD.unpack(body[: _HEAD.size])
    verified = False
    for secret in config().secret_keys if secret_keys is None else secret_keys:
        key = derive(secret, "tracking")
        if hmac.compare_digest(_key_id(key), key_id):
            verified = verified or hmac.compare_digest(_mac(key, body), mac)
    if not verified or version != VERSION or kind != _PURPOSES[purpose]:
        return None
    return Token(purpose, _encode(body[_HEAD.size :]), position)


def _mac(key: bytes, body: bytes) -> bytes:
    return hmac.digest(key, body, "sha256")[:MAC_BYTES]


def _key_id(key: bytes) -> bytes:
    return hashlib.sha256(key).digest()[:4]


def _encode(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def _decode(text: str) -> bytes:
    return base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
