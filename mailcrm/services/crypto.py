"""Secrets at rest: AES-256-GCM with keys derived from MAILCRM_SECRET_KEY.

A box is `key id (4 bytes) | nonce (12) | ciphertext and tag`. The context (table and row) is authenticated, so a box
moved to another row does not open. Several configured keys = rotation: the first seals, all open.
Does not store anything and does not hash passwords (auth/passwords.py).
"""

from __future__ import annotations

import functools
import hashlib
import hmac
import json
import secrets
from typing import Any

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from mailcrm.config import config
from mailcrm.errors import PermanentError

KEY_ID_BYTES = 4
NONCE_BYTES = 12  # SP 800-38D: 96 bits


def seal(value: Any, *, context: str) -> bytes:
    """Encrypt a JSON value for one row; `context` names it, as in "mailbox:7"."""
    key = derive(config().secret_keys[0], "box")
    nonce = secrets.token_bytes(NONCE_BYTES)
    return _key_id(key) + nonce + AESGCM(key).encrypt(nonce, json.dumps(value).encode(), context.encode())


def unseal(box: bytes, *, context: str) -> Any:
    """Decrypt what `seal` made for the same context.

    Raises PermanentError("secret.unreadable") for a changed box, another row's box or an unknown key.
    """
    head, nonce, sealed = box[:KEY_ID_BYTES], box[KEY_ID_BYTES:][:NONCE_BYTES], box[KEY_ID_BYTES + NONCE_BYTES :]
    for secret in config().secret_keys:
        key = derive(secret, "box")
        if hmac.compare_digest(_key_id(key), head):
            try:
                return json.loads(AESGCM(key).decrypt(nonce, sealed, context.encode()))
            except (InvalidTag, ValueError) as error:
                raise PermanentError("secret.unreadable") from error
    raise PermanentError("secret.unreadable")


@functools.lru_cache(maxsize=64)
def derive(secret: str, purpose: str) -> bytes:
    """Derive the 32-byte key of one purpose ("box", "tracking", …) from a configured secret (RFC 5869)."""
    return HKDF(SHA256(), 32, salt=b"mailcrm", info=purpose.encode()).derive(secret.encode())


def token() -> str:
    """Make an unguessable token of 256 bits for a cookie or a link."""
    return secrets.token_urlsafe(32)


def digest(value: str) -> str:
    """Hash a random token for storage (SHA-256, hex). Not for passwords."""
    return hashlib.sha256(value.encode()).hexdigest()


def _key_id(key: bytes) -> bytes:
    return hashlib.sha256(key).digest()[:KEY_ID_BYTES]
