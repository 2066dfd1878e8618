"""An Exchange mailbox as the sync sees any mailbox: folders with UIDs, UIDVALIDITY and mod-sequences (CONDSTORE).

    survey, examine, status ──▶ SyncFolderItems from the folder's noted state ──▶ mirror.py ──▶ the answers below

What the server said is noted first, durably (following.py), and answered from there: flags, sizes and listings cost no
request.
Content is always fetched. Nothing here changes the mailbox but `append`; see writing.py.
Does not import exchangelib until it connects (wire.py); decides nothing about the ledger.
"""

# ruff: noqa: ARG002  what the interface passes is IMAP's to use

from __future__ import annotations

import hashlib
import threading
from collections.abc import Generator, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime
from types import TracebackType
from typing import TYPE_CHECKING, Self

from mailcrm.errors import PermanentError, TransientError
from mailcrm.services.mail.ews import mirror
from mailcrm.services.mail.ews.following import Follower
from mailcrm.services.mail.ews.values import DRAFT, Listed
from mailcrm.services.mail.imap import names
from mailcrm.services.mail.imap.client import MAX_MESSAGE, PIECE
from mailcrm.services.mail.imap.folders import RemoteFolder, with_roles
from mailcrm.services.mail.imap.structure import Section
from mailcrm.services.mail.imap.values import Changes, FolderStatus, RemoteMessage, RemoteMeta, State, Unfetchable
from mailcrm.services.mail.imap.wire import Limits
from mailcrm.services.mail.parse.headers import message_id as parsed_id
from mailcrm.services.mail.providers.values import Secret, ServerSpec, secret_text

if TYPE_CHECKING:
    from mailcrm.services.mail.ews.wire import Wire

OFFERS = frozenset({"CONDSTORE", "LIST-STATUS", "MOVE", "OBJECTID", "UIDPLUS"})  # in IMAP's words
BODY_BYTES = 8_000_000  # of messages in one request, by what is known of their sizes
#: EWS's names for the fields with people, and the header's.
FIELDS = {"From": "From", "ReplyTo": "Reply-To", "ToRecipients": "To", "CcRecipients": "Cc", "BccRecipients": "Bcc"}
_ATTRIBUTES = {"sent": "\\Sent", "drafts": "\\Drafts", "junk": "\\Junk", "trash": "\\Trash"}


class EwsConnection:
    """A signed-in connection; use it as a context manager. One thread only."""

    def __init__(self, wire: Wire, mailbox_id: int, *, thorough: bool = False) -> None:
        self.wire, self.mailbox_id = wire, mailbox_id
        self._alive = True
        self._following = Follower(wire, self.call, mailbox_id, thorough=thorough)
        self._place: mirror.Place | None = None
        #: The folder that is open, by name and UIDVALIDITY.
        self.opened: tuple[str, int] | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, exc: BaseException | None, tb: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Close the connection. Never raises."""
        self._alive = False
        self.wire.close()

    @contextmanager
    def deadline(self, seconds: float) -> Generator[None]:
        """Hang up when the block takes longer than `seconds` in all."""
        timer = threading.Timer(seconds, self.wire.hang_up)
        timer.daemon = True
        timer.start()
        try:
            yield
        finally:
            timer.cancel()

    @property
    def alive(self) -> bool:
        """False once the connection broke; make a new one then."""
        return self._alive

    @contextmanager
    def call(self) -> Generator[None]:
        """Around every request: what breaks the connection is its end."""
        if not self._alive:
            raise TransientError("server.lost", host=self.wire.spec.host)
        try:
            yield
        except TransientError as error:
            if error.code.startswith("server."):
                self._alive = False
            raise

    # Folders.

    def capabilities(self) -> frozenset[str]:
        """Return what it can do, in the words of IMAP's extensions."""
        return OFFERS

    def offers(self, capability: str) -> bool:
        """Whether it can do what an extension of IMAP stands for."""
        return capability in OFFERS

    def list_folders(self) -> list[RemoteFolder]:
        """List the mail folders with their roles."""
        with self.call():
            listed = self.wire.folders()
        named = paths(listed)
        order = [folder.id for folder in listed if folder.id in named]
        role_of = {folder.id: folder.role for folder in listed}
        found = with_roles([((_ATTRIBUTES.get(role_of[key], ""),), "/", named[key]) for key in order])
        inbox = next((key for key in order if role_of[key] == "inbox"), None)
        out: list[RemoteFolder] = []
        for key, folder in zip(order, found, strict=True):
            role = "inbox" if key == inbox else None if folder.role == "inbox" else folder.role
            out.append(replace(folder, role=role))
        self._places = mirror.save_folders(self.mailbox_id, named) if self.mailbox_id else {}
        return out

    _places: dict[str, mirror.Place] | None = None

    def survey(self, *, counts: bool = True, just_opened: bool = False) -> tuple[list[RemoteFolder], bool]:
        """List every folder, with its counts where it is synced; the listing is always whole."""
        listed = self.list_folders()
        if not counts:
            return listed, True
        left_out = mirror.unchosen(self.mailbox_id)
        return [
            folder if folder.name in left_out else replace(folder, status=self._counted(folder.name))
            for folder in listed
        ], True

    def _counted(self, name: str) -> FolderStatus | None:
        try:
            return self.status(name)
        except PermanentError:  # this folder's trouble: the engine meets it when it looks there
            return None

    def status(self, folder: str) -> FolderStatus:
        """Read what changed in a folder, and return its counts. Raises PermanentError `imap.folder_missing`."""
        return self._status(self._following.read(self._find(folder)))

    def examine(self, name: str) -> FolderStatus:
        """Open a folder; the calls below are about it from now on. As `status` otherwise."""
        self.opened = self._place = None
        place = self._following.read(self._find(name))
        self._place, self.opened = place, (name, place.uidvalidity)
        return self._status(place)

    def resync(self, name: str, known: tuple[int, int, int] | None) -> tuple[FolderStatus, Changes | None]:
        """Open a folder; what changed since is asked for with `fetch_changes`."""
        return self.examine(name), None

    def find(self, name: str) -> mirror.Place:
        """Return a folder as it is noted. Raises PermanentError `imap.folder_missing`."""
        return self._find(name)

    def _find(self, name: str) -> mirror.Place:
        if self._places is None:
            self._places = mirror.places(self.mailbox_id)
        if name not in self._places:
            self.list_folders()
        if name not in self._places:
            raise PermanentError("imap.folder_missing", folder=name)
        return self._places[name]

    @staticmethod
    def _status(place: mirror.Place) -> FolderStatus:
        remote_id = hashlib.sha256(place.remote_id.encode()).hexdigest()[:32]
        return FolderStatus(place.uidvalidity, place.uidnext, mirror.count(place.id), place.highestmodseq, remote_id)

    # Messages of the folder that is open.

    def _open(self) -> mirror.Place:
        if not self._alive or self._place is None:
            raise TransientError("server.lost", host=self.wire.spec.host)
        return self._place

    def list_uids(self, lo: int, hi: int) -> list[int]:
        """Return the UIDs in lo..hi that exist, ascending."""
        return mirror.uids(self._open().id, lo, hi)

    def list_newest(self, exists: int, count: int) -> list[int]:
        """Return the UIDs of the last `count` messages, ascending."""
        return mirror.newest(self._open().id, count) if exists else []

    def fetch_meta(self, uids: Iterable[int]) -> dict[int, RemoteMeta]:
        """Return flags, date and size; UIDs that are gone are not in the answer."""
        found = mirror.items(self._open().id, uids)
        return {uid: _meta(item) for uid, item in found.items()}

    def fetch_states(self, uids: Iterable[int]) -> dict[int, State]:
        """Return flags; UIDs that are gone are not in the answer."""
        return {uid: State(_flags(item), item.modseq) for uid, item in mirror.items(self._open().id, uids).items()}

    def fetch_changes(self, lo: int, hi: int, since: int) -> Changes:
        """Return what changed among lo..hi after the mod-sequence `since`; what vanished shows in the counts."""
        found = mirror.changed_since(self._open().id, lo, hi, since)
        return Changes({uid: State(_flags(item), item.modseq) for uid, item in found.items()}, None)

    def fetch_message_ids(self, uids: Iterable[int]) -> dict[int, bytes]:
        """Fetch the Message-ID header field of each message, b"" where it has none."""
        known = mirror.items(self._open().id, uids)
        with self.call():
            looked = self.wire.look([item.item_id for item in known.values()])
        return {
            uid: f"Message-ID: {looked[item.item_id].rfc_message_id}".encode() if found else b""
            for uid, item in known.items()
            if item.item_id in looked
            for found in (looked[item.item_id].rfc_message_id,)
        }

    def fetch_structure(self, uid: int) -> Section | None:
        """Return None: the server tells nothing of a message's parts, so it comes whole."""
        return None

    def fetch_sections(self, uid: int, wanted: Sequence[str]) -> dict[str, bytes]:
        """Return nothing: parts can't be had."""
        return {}

    def fetch_pieces(self, uid: int, section: str = "") -> Iterator[bytes]:
        """Fetch a whole message and hand it out piece by piece; nothing when the server does not hand it out."""
        for found in self.fetch_raw([uid]):
            if isinstance(found, RemoteMessage):
                yield from (found.raw[at : at + PIECE] for at in range(0, len(found.raw), PIECE))

    def fetch_raw(
        self, uids: Sequence[int], *, meta: dict[int, RemoteMeta] | None = None, following: Sequence[Sequence[int]] = ()
    ) -> Iterator[RemoteMessage | Unfetchable]:
        """Fetch whole messages, as `ImapConnection.fetch_raw` does; reading marks nothing as read."""
        place = self._open()
        known = mirror.items(place.id, uids)
        for part in _batches([known[uid] for uid in uids if uid in known]):
            if part[0].size > MAX_MESSAGE:
                yield Unfetchable(part[0].uid, "too_large")
                continue
            of = {item.item_id: item for item in part}
            with self.call():
                found = list(self.wire.mime(list(of)))
            mirror.note_sizes(place.id, {of[key].uid: len(raw) for key, raw in found if raw is not None})
            for key, raw in found:
                item = of[key]
                if raw is None:
                    yield Unfetchable(item.uid, "malformed")
                else:
                    yield RemoteMessage(item.uid, _flags(item), item.received_at, raw)

    def fetch_fields(self, uids: Iterable[int]) -> dict[int, bytes]:
        """Return the header fields with people of each message, as a header would spell them."""
        known = mirror.items(self._open().id, uids)
        with self.call():
            found = self.wire.fields([item.item_id for item in known.values()])
        return {
            uid: b"".join(
                f"{FIELDS[name]}: {', '.join(f'<{address}>' for address in addresses)}\r\n".encode()
                for name, addresses in found[item.item_id].items()
                if addresses
            )
            for uid, item in known.items()
            if item.item_id in found
        }

    def search_message_id(self, folder: str, message_id: str) -> list[int]:
        """Return the UIDs in `folder` whose Message-ID is `message_id`: among the newest, where it can only be."""
        self.examine(folder)
        return self.by_message_id(message_id)

    def by_message_id(self, message_id: str, least: int = 1, most: int = 500) -> list[int]:
        """Look for a Message-ID among the newest messages of the open folder."""
        wanted = message_id.strip().strip("<>")
        newest = [uid for uid in mirror.newest(self._open().id, most) if uid >= least]
        return [
            uid
            for uid, field in sorted(self.fetch_message_ids(newest).items())
            if parsed_id(field.partition(b":")[2].strip()) == wanted
        ]

    def append(
        self, folder: str, raw: bytes, flags: Sequence[str] = (), internal_date: datetime | None = None
    ) -> int | None:
        r"""Put a message into `folder`, read; return None: the next pass finds it by what it is."""
        with self.call():
            self.wire.file(self._find(folder).remote_id, raw)
        return None


def paths(listed: Sequence[Listed]) -> dict[str, str]:
    """Return the whole name of each folder by its id, "/" between the parts; twins are numbered. Pure."""
    by_id = {folder.id: folder for folder in listed}
    out: dict[str, str] = {}
    taken: set[str] = set()
    for folder in listed:
        parts: list[str] = []
        at: Listed | None = folder
        while at is not None and len(parts) < 50:  # a server may make a circle of them
            parts.append(at.name.replace("/", "\u2215") or "?")
            at = by_id.get(at.parent)
        name = whole = names.bounded("/".join(reversed(parts)))
        n = 2
        while name in taken:
            name, n = f"{whole} ({n})", n + 1
        taken.add(name)
        out[folder.id] = name
    return out


def connect(
    spec: ServerSpec,
    address: str,
    password: Secret,
    mailbox_id: int,
    *,
    allow_private: bool = False,
    limits: Limits | None = None,
    thorough: bool = False,
) -> EwsConnection:
    """Connect and sign in; `thorough` compares each folder's whole listing when it is first opened.

    Raises TransientError, PermanentError (certificate, address), NeedsReconnect (credentials).
    """
    from mailcrm.services.mail.ews import wire  # here, not above: it costs 30 MB and a second

    limits = limits or Limits()
    made = wire.connect(spec, address, secret_text(password), allow_private=allow_private, timeout=limits.read)
    return EwsConnection(made, mailbox_id, thorough=thorough)


def _flags(item: mirror.Known) -> frozenset[str]:
    return frozenset(flag for flag, on in (("\\Seen", item.seen), ("\\Draft", item.draft)) if on)


def _meta(item: mirror.Known) -> RemoteMeta:
    named = f"ews:{item.name}" if item.name and not item.name.startswith(DRAFT) else None
    return RemoteMeta(item.uid, _flags(item), item.received_at, item.size, named)


def _batches(known: Sequence[mirror.Known]) -> Iterator[list[mirror.Known]]:
    """Cut into requests; a message that is too large stands alone."""
    batch: list[mirror.Known] = []
    for item in known:
        if batch and (sum(each.size for each in batch) + item.size > BODY_BYTES or len(batch) >= 50):
            yield batch
            batch = []
        batch.append(item)
    if batch:
        yield batch
