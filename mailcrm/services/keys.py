"""Seals every secret in the database again under the first configured key, while everything runs (security.md 11).

    key file: new key in front ──▶ running processes seal with it from now on (config.py) ──▶ each old box opened, sealed
    again, and put in place of the very bytes that were read ──▶ again until a pass finds none

A row that changes meanwhile (a token is renewed) is read again. Killed half-way, every box is under the old key or the
new one, both of which are in the file: nothing is unreadable, and the next run goes on. Does not remove keys: links in
mail that was sent, and the addresses that opted out, are known by the key of their time.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any

import structlog
from sqlalchemy import update
from sqlmodel import col

from mailcrm.config import config, put_key_in_front
from mailcrm.errors import PermanentError
from mailcrm.models import DropMailbox, Mailbox, OAuthAttempt, SecondFactor, Webhook
from mailcrm.services import crypto
from mailcrm.services.db import reading, transaction
from mailcrm.services.rows import pick, rows, run

PASSES = 20  # a pass that finds new boxes again and again is somebody's process with old settings
BATCH = 200

#: Every column that `crypto.seal` fills, and the context of each row's box. A test compares it with the models.
COLUMNS: tuple[tuple[Any, Any, Callable[[Any], str]], ...] = (
    (Mailbox, Mailbox.id, lambda found: f"mailbox:{found}"),
    (Webhook, Webhook.id, lambda found: f"webhook:{found}"),
    (DropMailbox, DropMailbox.id, lambda found: f"drop_mailbox:{found}"),
    (OAuthAttempt, OAuthAttempt.state_hash, lambda found: f"oauth:{found}"),
    (SecondFactor, SecondFactor.user_id, lambda found: f"second_factor:{found}"),
)

log = structlog.get_logger()


def add_key() -> bool:
    """Put a new key in front of the key file's; False when the keys are in a variable, which only its owner can change."""
    path = config().key_file
    if path is None:
        return False
    put_key_in_front(path)
    return True


def rotate() -> tuple[int, int]:
    """Seal everything again that is not under the first key; return how many boxes that were, and how many can't be read.

    May run while everything else does, and again at any time. What can't be read stays as it is.
    """
    done, broken = 0, 0
    for _ in range(PASSES):
        changed, broken = _pass()
        done += changed
        if not changed:
            break
    return done, broken


def counts() -> dict[str, int]:
    """Return how many boxes are under each key, by its id in hexadecimal; configured keys without boxes are there too."""
    found = Counter({crypto.key_id(crypto.derive(key, "box")).hex(): 0 for key in config().secret_keys})
    with reading() as session:
        for model, _key, _context in COLUMNS:
            for (box,) in rows(session, pick(model.secret).where(model.secret != b"")):
                found[crypto.key_of(box).hex()] += 1
    return dict(found)


def unreadable() -> int:
    """Return how many boxes no configured key opens: their mailboxes have to be connected again."""
    broken = 0
    with reading() as session:
        for model, key, context in COLUMNS:
            for which, box in rows(session, pick(key, model.secret).where(model.secret != b"")):
                try:
                    crypto.unseal(box, context=context(which))
                except PermanentError:
                    broken += 1
    return broken


def _pass() -> tuple[int, int]:
    changed, broken = 0, 0
    for model, key, context in COLUMNS:
        with reading() as session:
            old = [
                found[0]
                for found in rows(session, pick(key, model.secret))
                if found[1] and not crypto.is_current(found[1])
            ]
        for start in range(0, len(old), BATCH):
            for each in old[start : start + BATCH]:
                outcome = _seal_again(model, key, each, context(each))
                changed += outcome is True
                broken += outcome is False
    return changed, broken


def _seal_again(model: Any, key: Any, which: Any, context: str) -> bool | None:
    """Seal one box again; None when its row changed or went meanwhile, False when it can't be opened."""
    with reading() as session:
        found = rows(session, pick(model.secret).where(key == which))
    if not found or not found[0][0] or crypto.is_current(found[0][0]):
        return None
    box = found[0][0]
    try:
        fresh = crypto.seal(crypto.unseal(box, context=context), context=context)
    except PermanentError:
        log.warning("a secret can't be opened with any configured key", table=model.__tablename__)
        return False
    with transaction() as session:
        same = update(model).where(key == which, col(model.secret) == box)
        return True if run(session, same.values(secret=fresh)).rowcount == 1 else None
