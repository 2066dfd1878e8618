r"""The calls that change an Exchange mailbox, in the words of `imap/writing.py`: the read mark, and moving.

Used by services/mail/writeback alone, which decides. A server that lost the answer to a move has done it all the same:
the message is then found in its target by its Message-ID, as over IMAP. Nothing is ever deleted: "delete" is a move.
"""

from __future__ import annotations

from collections.abc import Iterable

from mailcrm.errors import PermanentError
from mailcrm.services.mail.ews import mirror
from mailcrm.services.mail.ews.client import EwsConnection
from mailcrm.services.mail.imap.writing import Landed, Opened, Seen
from mailcrm.services.mail.parse.headers import message_id as parsed_id


class EwsWriter:
    """A connection's writing half; one thread, like the connection itself."""

    def __init__(self, connection: EwsConnection) -> None:
        self._connection = connection
        self._source: mirror.Place | None = None
        self.capabilities = connection.capabilities()

    def select(self, folder: str) -> Opened:
        """Open a folder to write in. Raises PermanentError `imap.folder_missing`."""
        status = self._connection.examine(folder)
        self._source = self._connection.find(folder)
        return Opened(status.uidvalidity)

    def leave(self) -> None:
        """Leave the folder that is open: nothing is held."""

    def look(self, uids: Iterable[int]) -> dict[int, Seen]:
        """Ask for read mark and Message-ID of those of these UIDs that exist."""
        known = mirror.items(self._open().id, uids)
        with self._connection.call():
            looked = self._connection.wire.look([item.item_id for item in known.values()])
        return {
            uid: Seen(
                frozenset({"\\Seen"} if looked[item.item_id].seen else set[str]()),
                parsed_id(looked[item.item_id].rfc_message_id.encode()),
            )
            for uid, item in known.items()
            if item.item_id in looked
        }

    def find(self, remote_id: str | None, rfc_message_id: str | None) -> list[int]:
        """Return the UIDs in the open folder of the message by the server's own name for it, else by Message-ID."""
        name = (remote_id or "").partition("ews:")[2]
        if name and (found := mirror.named(self._open().id, name)):
            return found
        return self._connection.by_message_id(rfc_message_id) if rfc_message_id else []

    def store_seen(self, uids: Iterable[int], seen: bool) -> None:
        """Set or remove the read mark of messages of the open folder."""
        place = self._open()
        known = mirror.items(place.id, uids)
        with self._connection.call():
            self._connection.wire.mark([item.item_id for item in known.values()], seen)
        mirror.marked(place, known, seen)

    def move(self, uids: Iterable[int], folder: str) -> Landed | None:
        """Move messages of the open folder, and say under which UIDs they are there."""
        source, target = self._open(), self._connection.find(folder)
        known = mirror.items(source.id, uids)
        with self._connection.call():
            landed = self._connection.wire.move([item.item_id for item in known.values()], target.remote_id)
        there = mirror.moved(source, target, {uid: landed.get(item.item_id, "") for uid, item in known.items()})
        return Landed(target.uidvalidity, there)

    def copy(self, uids: Iterable[int], folder: str) -> Landed | None:  # noqa: ARG002  the interface
        """Never asked for: every such server moves."""
        raise PermanentError("writeback.copy_lost", folder=folder)

    def remove(self, uids: Iterable[int]) -> None:
        """Never asked for: nothing is copied."""

    def _open(self) -> mirror.Place:
        opened = self._connection.opened
        if opened is not None and (self._source is None or self._source.name != opened[0]):
            self._source = self._connection.find(opened[0])  # `examine` opened another
        assert self._source is not None
        return self._source
