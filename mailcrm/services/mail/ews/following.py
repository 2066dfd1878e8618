"""Takes over what changed in a folder of Exchange's, so that mirror.py says what the server said last.

From the folder's noted state with SyncFolderItems; a listing of all (`thorough`, and when the server has lost its state)
is compared by ids, so UIDs stay what they are. A server may go on for ever, or leave out half: both have an end here.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import replace
from typing import TYPE_CHECKING

import structlog

from mailcrm.errors import PermanentError, TransientError
from mailcrm.services.mail.ews import mirror
from mailcrm.services.mail.ews.values import Item, Page

if TYPE_CHECKING:
    from mailcrm.services.mail.ews.wire import Wire

MOST_TURNS = 5  # reads of a folder that another process kept changing meanwhile
#: A server may go on for ever. Exchange itself keeps a million items in a folder at most.
MOST_ITEMS, MOST_PAGES = 1_000_000, 10_000
MOST_EMPTY = 100  # answers before one that brings nothing, and is not the last, ends it
SUSPICIOUS, PART = 50, 5  # that many missing of a listing, and a fifth of all: it is asked for once more

log = structlog.get_logger()


class Follower:
    """Follows the folders of one connection; `call` is what it puts around every request."""

    def __init__(
        self, wire: Wire, call: Callable[[], AbstractContextManager[None]], mailbox_id: int, *, thorough: bool
    ) -> None:
        self._wire, self._call, self._mailbox_id, self._thorough = wire, call, mailbox_id, thorough
        self._listed: set[int] = set()  # folders whose whole listing this connection compared

    def read(self, place: mirror.Place) -> mirror.Place:
        """Take over what changed in a folder up to now."""
        for _ in range(MOST_TURNS):
            now = mirror.place(place.id)
            if now is None:
                raise PermanentError("imap.folder_missing", folder=place.name)
            if not now.sync_state or (self._thorough and now.id not in self._listed):
                done = self._list(now)
            else:
                done = self._follow(now)
            if done is not None:
                return done
        raise self._endless()

    def _follow(self, place: mirror.Place) -> mirror.Place | None:
        from mailcrm.services.mail.ews.failures import StateLost

        for turn in range(MOST_PAGES):
            try:
                with self._call():
                    page = self._wire.changes(place.remote_id, place.sync_state, place.name)
            except StateLost:
                log.info("Exchange lost a folder's state: it is listed again", mailbox_id=self._mailbox_id)
                return self._list(place)
            stuck = page.state == place.sync_state
            if not (stuck and not (page.changed or page.read or page.gone)) and not mirror.apply(place, page):
                return None
            now = mirror.place(place.id)
            if now is None or page.last or stuck:
                return now
            if turn > MOST_EMPTY and not (page.changed or page.read or page.gone):
                break
            place = now
        raise self._endless()

    def _endless(self) -> TransientError:
        """What a server is told that never comes to an end; what it said so far is noted."""
        return TransientError("imap.unavailable", host=self._wire.spec.host, answer="SyncFolderItems")

    def _list(self, place: mirror.Place) -> mirror.Place | None:
        """List the whole folder; a listing that lacks many is asked for once more before it is believed."""
        listed, state = self._whole(place)
        known = mirror.known_ids(place.id)
        missing = len(known - listed.keys())
        if missing > SUSPICIOUS and missing * PART > len(known):
            again, state = self._whole(place)
            listed |= again
        if not mirror.replace(place, list(listed.values()), state):
            return None
        self._listed.add(place.id)
        return mirror.place(place.id)

    def _whole(self, place: mirror.Place) -> tuple[dict[str, Item], str]:
        listed: dict[str, Item] = {}
        state = ""
        for turn in range(MOST_PAGES):
            with self._call():
                page: Page = self._wire.changes(place.remote_id, state, place.name)
            before = len(listed)
            listed |= {item.id: item for item in page.changed}
            for key, seen in page.read.items():
                if key in listed:
                    listed[key] = replace(listed[key], seen=seen)
            for key in page.gone:
                listed.pop(key, None)
            if page.last or page.state == state:
                return listed, page.state
            if len(listed) > MOST_ITEMS or (turn > MOST_EMPTY and len(listed) <= before):
                break
            state = page.state
        raise self._endless()
