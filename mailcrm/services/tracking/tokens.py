"""Tokens in pixel and link URLs: made and read, without a database.

A token is `version | key id | purpose | position | nonce | MAC`, in base64url without padding (54 characters). The
nonce has 128 random bits and names the tracked message; the MAC (HMAC-SHA-256, 16 bytes) lets junk be refused without
a query. A token holds no destination, no id and no address: the link's URL is looked up (security.md threats 7, 8).
Several configured keys = rotation: the first signs, all verify. A key that sent mail is kept for ever (T10).
"""

from __future__ import annotations

import base64
import binascii
import functools
import hashlib
import hmac
import secrets
import struct
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from mailcrm.config import Config, config
from mailcrm.services.crypto import derive

Purpose = Literal["open", "click", "optout"]

VERSION = 1
NONCE_BYTES = 16  # 128 bits: cannot be guessed, does not collide
MAC_BYTES = 16
MAX_POSITION = 0xFFFF
KEYS_S = 1.0

_HEAD = struct.Struct(">B4sBH")  # version, key id, purpose, position
_PURPOSES: dict[Purpose, int] = {"open": 1, "click": 2, "optout": 3}
_SIZE = _HEAD.size + NONCE_BYTES + MAC_BYTES
_LENGTH = (_SIZE * 4 + 2) // 3
_BLOCK = 64  # bytes; SHA-256's
#: base64url to what binascii reads; the two letters of plain base64 are none of ours.
_PLAIN = bytes.maketrans(b"-_+/", b"+/!!")
_PADDING = b"=" * (-_LENGTH % 4)
_LAST = frozenset("AQgw")  # 40 bytes leave two bits for the last character: each token has one spelling


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
    ((key_id, mac),) = _keys((secret or config().secret_keys[0],))
    body = _HEAD.pack(VERSION, key_id, _PURPOSES[purpose], position) + _decode(nonce)
    return _encode(body + mac(body))


def read(token: str, *, purpose: Purpose, secret_keys: tuple[str, ...] | None = None) -> Token | None:
    """Verify a token; None for anything that was not made here, for this purpose. Never raises on any text."""
    if len(token) != _LENGTH or token[-1] not in _LAST:
        return None
    try:
        raw = binascii.a2b_base64(token.encode("ascii").translate(_PLAIN) + _PADDING, strict_mode=True)
    except ValueError:  # binascii's own is one
        return None
    if len(raw) != _SIZE:
        return None
    body = raw[:-MAC_BYTES]
    version, key_id, kind, position = _HEAD.unpack_from(body)
    if version != VERSION or kind != _PURPOSES[purpose]:
        return None
    macs = _with_id(key_id) if secret_keys is None else [mac for each, mac in _keys(secret_keys) if each == key_id]
    if not any([hmac.compare_digest(mac(body), raw[-MAC_BYTES:]) for mac in macs]):  # noqa: C419  a list is quicker
        return None
    return Token(purpose, _encode(body[_HEAD.size :]), position)


_Mac = Callable[[bytes], bytes]
_lately: tuple[Config | None, float, tuple[tuple[bytes, _Mac], ...]] = (None, 0.0, ())


def _with_id(key_id: bytes) -> list[_Mac]:
    """Configured keys with an id, as known for at most KEYS_S: to ask takes a look at the key file. A new one is known at once."""
    global _lately
    settings, now = config(), time.monotonic()
    known = _lately
    if known[0] is settings and now < known[1]:
        found = [mac for each, mac in known[2] if each == key_id]
        if found:
            return found
    _lately = known = (settings, now + KEYS_S, _keys(settings.secret_keys))
    return [mac for each, mac in known[2] if each == key_id]


@functools.lru_cache(maxsize=64)  # deriving one takes ten times what checking a token does
def _keys(secrets: tuple[str, ...]) -> tuple[tuple[bytes, _Mac], ...]:
    """Key ids of configured secrets, and what signs with each."""
    keys = [derive(secret, "tracking") for secret in secrets]
    return tuple((_key_id(key), _mac(key)) for key in keys)


def _mac(key: bytes) -> _Mac:
    """HMAC-SHA-256 (RFC 2104) with the key hashed in advance: a third of what `hmac.digest` takes for 24 bytes."""
    padded = key.ljust(_BLOCK, b"\0")  # derived keys have 32 bytes
    inner = hashlib.sha256(bytes(each ^ 0x36 for each in padded))
    outer = hashlib.sha256(bytes(each ^ 0x5C for each in padded))

    def mac(body: bytes) -> bytes:
        first, second = inner.copy(), outer.copy()
        first.update(body)
        second.update(first.digest())
        return second.digest()[:MAC_BYTES]

    return mac


def _key_id(key: bytes) -> bytes:
    return hashlib.sha256(key).digest()[:4]


def _encode(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def _decode(text: str) -> bytes:
    return base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
