"""The one remote image that a reader's browser asks for: authorised, from the cache, else fetched once.

Also says whether a message's images are to be shown. Does not clean mail and answers no browser (endpoints/messages.py).
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from mailcrm.errors import NotFound
from mailcrm.models import Message
from mailcrm.services import access
from mailcrm.services.access import Actor
from mailcrm.services.db import reading
from mailcrm.services.mail.remote_images import cache, choices, signing
from mailcrm.services.mail.remote_images.fetch import WAY, Fetched, NotFetched, Way

FAILED_S = 600.0  # how long a failure counts: a reader who opens the email again is no reason to try again
_MOST_FAILED = 5000

_failed: dict[str, float] = {}
_fetching: dict[str, tuple[threading.Lock, int]] = {}  # who holds it and who waits
_lock = threading.Lock()


def addresses(actor: Actor, message_id: int) -> Callable[[str], str]:
    """Return what turns an image's address into ours, relative to the body's own."""
    return lambda url: f"image?{signing.query(actor.user_id, message_id, url)}"


def is_chosen(actor: Actor, message_id: int) -> str:
    """Return the scope of the choice that shows a message's images without asking, "" for none. Raises NotFound."""
    with reading() as session:
        message = access.load(session, Message, message_id, access.visible_message(actor))
        return choices.allowed(session, actor, message)


def kept(actor: Actor, message_id: int, u: str, s: str) -> Fetched | None:
    """Return an image of a message if it was fetched before. Raises NotFound as `load` does."""
    return cache.get(_key(actor, message_id, u, s)[0])


def load(actor: Actor, message_id: int, u: str, s: str, *, way: Way = WAY) -> Fetched:
    """Return an image of a message; may take as long as a fetch may.

    Raises NotFound (no such message for this actor, not signed), NotFetched.
    """
    key, url = _key(actor, message_id, u, s)
    found = cache.get(key)
    if found is not None:
        return found
    with _alone(key):
        found = cache.get(key)  # somebody else's fetch may just have ended
        if found is not None:
            return found
        if _failed.get(key, 0) > time.monotonic():
            raise NotFetched
        try:
            found = way.fetch(url)
        except NotFetched:
            with _lock:
                if len(_failed) >= _MOST_FAILED:
                    _failed.clear()
                _failed[key] = time.monotonic() + FAILED_S
            raise
        cache.put(key, found)
        return found


def _key(actor: Actor, message_id: int, u: str, s: str) -> tuple[str, str]:
    url = signing.read(actor.user_id, message_id, u, s)
    if url is None:
        raise NotFound
    with reading() as session:
        sha = access.load(session, Message, message_id, access.visible_message(actor)).blob_sha
    return cache.key_of(sha, url), url


class _alone:  # noqa: N801  a context manager, used as a function
    """One fetch of an image at a time: its lock is forgotten when nobody holds it or waits for it."""

    def __init__(self, key: str) -> None:
        self.key = key

    def __enter__(self) -> None:
        with _lock:
            lock, users = _fetching.get(self.key, (threading.Lock(), 0))
            _fetching[self.key] = lock, users + 1
        lock.acquire()

    def __exit__(self, *_: object) -> None:
        with _lock:
            lock, users = _fetching.pop(self.key)
            if users > 1:
                _fetching[self.key] = lock, users - 1
        lock.release()
