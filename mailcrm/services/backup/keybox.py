"""The server's keys inside a backup, wrapped by a passphrase: scrypt (RFC 7914), then AES-256-GCM.

Without a passphrase a backup holds no key, only by what each is recognised. Does not read or write files.
"""

from __future__ import annotations

import base64
import json
import secrets
from typing import Any

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.scrypt import Scrypt

from mailcrm.errors import UserError
from mailcrm.services import crypto

LEAST = 12  # characters of a passphrase: whoever has the file may try as many as they like
COST = 2**17  # 128 MB and half a second for each try
_NAME = b"mailcrm backup keys 1"


def ids(keys: tuple[str, ...]) -> list[str]:
    """Return by what each key is recognised; says nothing about it."""
    return [crypto.key_id(crypto.derive(key, "box")).hex() for key in keys]


def wrap(keys: tuple[str, ...], passphrase: str) -> dict[str, Any]:
    """Encrypt the keys. Raises UserError for a passphrase that is too short."""
    if len(passphrase) < LEAST:
        raise UserError("backup.passphrase_short", least=LEAST)
    salt, nonce = secrets.token_bytes(16), secrets.token_bytes(12)
    box = AESGCM(_key(passphrase, salt, COST)).encrypt(nonce, json.dumps(keys).encode(), _NAME)
    return {"cost": COST, "salt": _text(salt), "box": _text(nonce + box)}


def unwrap(wrapped: dict[str, Any], passphrase: str) -> tuple[str, ...]:
    """Return the keys. Raises UserError("backup.passphrase_wrong")."""
    try:
        box, salt, cost = base64.b64decode(wrapped["box"]), base64.b64decode(wrapped["salt"]), int(wrapped["cost"])
        if cost > COST:  # a file that somebody made to take all memory
            raise ValueError
        keys = json.loads(AESGCM(_key(passphrase, salt, cost)).decrypt(box[:12], box[12:], _NAME))
        return tuple(str(key) for key in keys)
    except (InvalidTag, KeyError, TypeError, ValueError) as error:
        raise UserError("backup.passphrase_wrong") from error


def _key(passphrase: str, salt: bytes, cost: int) -> bytes:
    return Scrypt(salt=salt, length=32, n=cost, r=8, p=1).derive(passphrase.encode())


def _text(raw: bytes) -> str:
    return base64.b64encode(raw).decode()
