"""Secrets at rest: AES-256-GCM with keys derived from MAILCRM_SECRET_KEY.

An envelope: each box has a key of its own, drawn at random, which the configured key wraps:

    magic (4) | id of the configured key (4) | nonce (12), wrapped key and tag (48) | nonce (12), ciphertext and tag

The context (table and row) is authenticated in both parts, so a box moved to another row does not open. Several
configured keys = rotation: the first seals, all open; `keys.py` seals every row again.
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

MAGIC = b"mcE1"  # a box of version 0.1 begins with a key's id: one key in four thousand million looks like this
KEY_ID_BYTES = 4
DATA_KEY_BYTES = 32
NONCE_BYTES = 12  # SP 800-38D: 96 bits
_WRAPPED = NONCE_BYTES + DATA_KEY_BYTES + 16  # with the tag


def seal(value: Any, *, context: str) -> bytes:
    """Encrypt a JSON value for one row; `context` names it, as in "mailbox:7"."""
    master = derive(config().secret_keys[0], "box")
    own = secrets.token_bytes(DATA_KEY_BYTES)
    return b"".join(
        (
            MAGIC,
            key_id(master),
            _encrypt(master, own, f"key of {context}"),
            _encrypt(own, json.dumps(value).encode(), context),
        )
    )


def unseal(box: bytes, *, context: str) -> Any:
    """Decrypt what `seal` made for the same context; boxes of version 0.1, without a key of their own, too.

    Raises PermanentError("secret.unreadable") for a changed box, another row's box or an unknown key.
    """
    enveloped = box.startswith(MAGIC)
    head, rest = (box[4:8], box[8:]) if enveloped else (box[:4], box[4:])
    master = next(
        (key for secret in config().secret_keys if hmac.compare_digest(key_id(key := derive(secret, "box")), head)),
        None,
    )
    if master is None:
        raise PermanentError("secret.unreadable")
    try:
        if enveloped:
            own = _decrypt(master, rest[:_WRAPPED], f"key of {context}")
            return json.loads(_decrypt(own, rest[_WRAPPED:], context))
        return json.loads(_decrypt(master, rest, context))
    except (InvalidTag, ValueError) as error:
        raise PermanentError("secret.unreadable") from error


def is_current(box: bytes) -> bool:
    """Whether a box is in today's form and under the key that seals now."""
    return box.startswith(MAGIC) and hmac.compare_digest(box[4:8], key_id(derive(config().secret_keys[0], "box")))


def key_of(box: bytes) -> bytes:
    """Return the id of the key that a box is under."""
    return box[4:8] if box.startswith(MAGIC) else box[:4]


def key_id(key: bytes) -> bytes:
    """Return what a key is recognised by; says nothing about it."""
    return hashlib.sha256(key).digest()[:KEY_ID_BYTES]


def _encrypt(key: bytes, value: bytes, context: str) -> bytes:
    nonce = secrets.token_bytes(NONCE_BYTES)
    return nonce + AESGCM(key).encrypt(nonce, value, context.encode())


def _decrypt(key: bytes, box: bytes, context: str) -> bytes:
    return AESGCM(key).decrypt(box[:NONCE_BYTES], box[NONCE_BYTES:], context.encode())


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
