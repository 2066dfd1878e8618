"""What is noted of an Exchange mailbox's folders and items: UIDs for ids, once each, and how far each folder was read.

An item keeps its UID for as long as it is in its folder; a moved one gets a new UID in the next, as over IMAP, and so
does a draft that was changed, because the bytes under a UID never change. Every write names the sync state it goes out
from: of two processes that read the same answer one writes it. Speaks to no server, and is not the ledger.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import delete, update
from sqlmodel import Session, col, func

from mailcrm.models import Folder, Message, RemoteFolder, RemoteItem
from mailcrm.services.db import reading, transaction
from mailcrm.services.mail.ews.values import Item, Page
from mailcrm.services.rows import chunks, insert_absent, insert_many, pick, rows, run, scalar

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Place:
    """A folder as it is noted."""

    id: int
    mailbox_id: int
    remote_id: str
    name: str
    uidvalidity: int
    uidnext: int
    highestmodseq: int
    sync_state: str


@dataclass(frozen=True, slots=True)
class Known:
    """An item as it is noted."""

    uid: int
    item_id: str
    name: str
    size: int
    received_at: datetime | None
    seen: bool
    draft: bool
    modseq: int


_ITEM = pick(
    RemoteItem.uid, RemoteItem.item_id, RemoteItem.name, RemoteItem.size, RemoteItem.received_at, RemoteItem.seen,
    RemoteItem.draft, RemoteItem.modseq,
)  # fmt: skip


def save_folders(mailbox_id: int, named: Mapping[str, str]) -> dict[str, Place]:
    """Note the folders there are, name by id; return them by name. What is not named is forgotten with its items."""
    found = places(mailbox_id)
    if {place.remote_id: place.name for place in found.values()} != dict(named):
        with transaction() as session:
            gone = {place.remote_id for place in found.values()} - named.keys()
            for part in chunks(sorted(gone)):
                run(session, delete(RemoteFolder).where(_of(mailbox_id), col(RemoteFolder.remote_id).in_(part)))
            fresh = [_new(mailbox_id, key, name) for key, name in named.items()]
            insert_absent(session, RemoteFolder, fresh)
            for key, name in named.items():
                same = col(RemoteFolder.remote_id) == key
                other = col(RemoteFolder.name) != name
                run(session, update(RemoteFolder).where(_of(mailbox_id), same, other).values(name=name))
        found = places(mailbox_id)
    return found


def _new(mailbox_id: int, remote_id: str, name: str) -> dict[str, Any]:
    return {
        "mailbox_id": mailbox_id, "remote_id": remote_id, "name": name,
        "uidvalidity": secrets.randbelow(2**31 - 1) + 1, "uidnext": 1, "highestmodseq": 1, "sync_state": "",
    }  # fmt: skip


def places(mailbox_id: int) -> dict[str, Place]:
    """Return the folders that are noted, by name."""
    with reading() as session:
        return {place.name: place for place in _places(session, _of(mailbox_id))}


def place(place_id: int) -> Place | None:
    """Return a folder as it is noted now; None when it is gone."""
    with reading() as session:
        return next(iter(_places(session, col(RemoteFolder.id) == place_id)), None)


def unchosen(mailbox_id: int) -> set[str]:
    """Return the names of folders that are not synced: nobody needs to know what changed there."""
    with reading() as session:
        statement = pick(Folder.name).where(col(Folder.mailbox_id) == mailbox_id, col(Folder.chosen).is_(False))
        return {row[0] for row in rows(session, statement)}


def count(place_id: int) -> int:
    """Count a folder's items."""
    with reading() as session:
        return scalar(session, pick(func.count()).select_from(RemoteItem).where(_in(place_id)))


def uids(place_id: int, lo: int, hi: int) -> list[int]:
    """Return the UIDs in lo..hi, ascending."""
    where = _in(place_id), col(RemoteItem.uid) >= lo, col(RemoteItem.uid) <= hi
    with reading() as session:
        return [row[0] for row in rows(session, pick(RemoteItem.uid).where(*where).order_by(col(RemoteItem.uid)))]


def newest(place_id: int, most: int) -> list[int]:
    """Return the last UIDs, ascending."""
    statement = pick(RemoteItem.uid).where(_in(place_id)).order_by(col(RemoteItem.uid).desc()).limit(most)
    with reading() as session:
        return sorted(row[0] for row in rows(session, statement))


def items(place_id: int, wanted: Iterable[int]) -> dict[int, Known]:
    """Return items by UID; those that are gone are left out."""
    out: dict[int, Known] = {}
    with reading() as session:
        for part in chunks(sorted(set(wanted))):
            for row in rows(session, _ITEM.where(_in(place_id), col(RemoteItem.uid).in_(part))):
                out[row.uid] = Known(*row)
    return out


def changed_since(place_id: int, lo: int, hi: int, since: int) -> dict[int, Known]:
    """Return the items of lo..hi that changed after a mod-sequence."""
    where = col(RemoteItem.modseq) > since, col(RemoteItem.uid) >= lo, col(RemoteItem.uid) <= hi
    with reading() as session:
        return {row.uid: Known(*row) for row in rows(session, _ITEM.where(_in(place_id), *where))}


def named(place_id: int, name: str) -> list[int]:
    """Return the UIDs of a message by the server's own name for it."""
    statement = pick(RemoteItem.uid).where(_in(place_id), col(RemoteItem.name) == name)
    with reading() as session:
        return sorted(row[0] for row in rows(session, statement))


def note_sizes(place_id: int, sizes: Mapping[int, int]) -> None:
    """Note how large messages are as MIME; the server's own numbers count something else."""
    known = items(place_id, sizes)
    other = {uid: size for uid, size in sizes.items() if uid in known and known[uid].size != size}
    if other:
        with transaction() as session:
            for uid, size in sorted(other.items()):
                at = update(RemoteItem).where(_in(place_id), col(RemoteItem.uid) == uid)
                run(session, at.values(size=size))


def apply(at: Place, page: Page) -> bool:
    """Take one answer over; False when another process moved on from this state meanwhile."""
    with transaction() as session:
        taken = run(
            session,
            update(RemoteFolder)
            .where(col(RemoteFolder.id) == at.id, col(RemoteFolder.sync_state) == at.sync_state)
            .values(sync_state=page.state),
        ).rowcount
        if not taken:
            return False
        _Change(session, at.id).run(page.changed, page.read, page.gone)
    return True


def replace(at: Place, listed: Sequence[Item], state: str) -> bool:
    """Take over a whole listing: what it does not name is gone, what is known keeps its UID. As `apply` otherwise."""
    with transaction() as session:
        taken = run(
            session,
            update(RemoteFolder)
            .where(col(RemoteFolder.id) == at.id, col(RemoteFolder.sync_state) == at.sync_state)
            .values(sync_state=state),
        ).rowcount
        if not taken:
            return False
        there = {item.id for item in listed}
        known = [row[0] for row in rows(session, pick(RemoteItem.item_id).where(_in(at.id)))]
        _Change(session, at.id).run(listed, {}, [key for key in known if key not in there])
    return True


def known_ids(place_id: int) -> set[str]:
    """Return the ids of a folder's items."""
    with reading() as session:
        return {row[0] for row in rows(session, pick(RemoteItem.item_id).where(_in(place_id)))}


def moved(source: Place, target: Place, landed: Mapping[int, str]) -> dict[int, int]:
    """Note that items were moved, new id by UID; return the UIDs they have there."""
    known = items(source.id, landed)
    out: dict[int, int] = {}
    with transaction() as session:
        into = _Change(session, target.id)
        for uid, item_id in sorted(landed.items()):
            was = known.get(uid)
            if was is None or not item_id:
                continue
            out[uid] = into.add(Item(item_id, was.size, was.received_at, was.seen, was.draft, was.name), was.size)
            run(session, delete(RemoteItem).where(_in(source.id), col(RemoteItem.uid) == uid))
        into.write()
    return out


def filed(at: Place, item: Item) -> int:
    """Note an item that was made here; return its UID."""
    with transaction() as session:
        into = _Change(session, at.id)
        uid = into.add(item, item.size)
        into.write()
    return uid


def marked(at: Place, wanted: Iterable[int], seen: bool) -> None:
    """Note read marks that were set from here."""
    known = items(at.id, wanted)
    with transaction() as session:
        _Change(session, at.id).run((), {item.item_id: seen for item in known.values()}, ())


class _Change:
    """Changes of one folder in a transaction, under its next mod-sequence."""

    def __init__(self, session: Session, place_id: int) -> None:
        self.session, self.place_id = session, place_id
        statement = pick(RemoteFolder.mailbox_id, RemoteFolder.uidnext, RemoteFolder.highestmodseq)
        row = run(session, statement.where(col(RemoteFolder.id) == place_id).with_for_update()).one()
        self.mailbox_id, self.uidnext, self.modseq = row.mailbox_id, row.uidnext, row.highestmodseq + 1
        self.fresh: list[dict[str, Any]] = []

    def run(self, changed: Sequence[Item], read: Mapping[str, bool], gone: Sequence[str]) -> None:
        """Write all of it; new items get their UIDs in the order they were received."""
        # What changed and went in one answer is gone.
        left = set(gone)
        known = self._known([item.id for item in changed] + list(read))
        new: list[Item] = []
        for item in changed:
            was = known.get(item.id)
            if item.id in left:
                continue
            if was is not None and (item.draft or was.draft) and item.name != was.name:
                left.add(item.id)  # other bytes: another UID
                new.append(item)
            elif was is None:
                new.append(item)
            elif was.seen != item.seen:
                self._update(was.uid, seen=item.seen)
        for key, seen in read.items():
            if key in known and known[key].seen != seen and key not in left:
                self._update(known[key].uid, seen=seen)
        for part in chunks(sorted(left)):
            run(self.session, delete(RemoteItem).where(_in(self.place_id), col(RemoteItem.item_id).in_(part)))
        sizes = self._sizes(new)
        for item in sorted(new, key=lambda each: each.received_at or _EPOCH):
            self._number(item, sizes.get(item.name, item.size))
        self.write(touched=bool(left))

    def add(self, item: Item, size: int) -> int:
        """Give an item the next UID; one that is there keeps its own."""
        known = self._known([item.id])
        return known[item.id].uid if item.id in known else self._number(item, size)

    def _number(self, item: Item, size: int) -> int:
        uid = self.uidnext
        self.uidnext += 1
        self.fresh.append(
            {
                "remote_folder_id": self.place_id, "uid": uid, "item_id": item.id, "name": item.name, "size": size,
                "received_at": item.received_at, "seen": item.seen, "draft": item.draft, "modseq": self.modseq,
            }
        )  # fmt: skip
        return uid

    def write(self, *, touched: bool = True) -> None:
        """Write new items and the folder's numbers."""
        insert_many(self.session, RemoteItem, self.fresh)
        if self.fresh or touched or self._changed:
            at = update(RemoteFolder).where(col(RemoteFolder.id) == self.place_id)
            run(self.session, at.values(uidnext=self.uidnext, highestmodseq=self.modseq))

    _changed = False

    def _update(self, uid: int, **values: Any) -> None:
        self._changed = True
        at = update(RemoteItem).where(_in(self.place_id), col(RemoteItem.uid) == uid)
        run(self.session, at.values(modseq=self.modseq, **values))

    def _known(self, ids: Sequence[str]) -> dict[str, Known]:
        out: dict[str, Known] = {}
        for part in chunks(sorted(set(ids))):
            for row in rows(self.session, _ITEM.where(_in(self.place_id), col(RemoteItem.item_id).in_(part))):
                out[row.item_id] = Known(*row)
        return out

    def _sizes(self, new: Sequence[Item]) -> dict[str, int]:
        """How large messages are that are stored already: somebody moved them."""
        out: dict[str, int] = {}
        for part in chunks(sorted({item.name for item in new if item.name})):
            statement = pick(Message.remote_id, Message.size).where(
                col(Message.mailbox_id) == self.mailbox_id, col(Message.remote_id).in_([f"ews:{name}" for name in part])
            )
            out.update((row[0].removeprefix("ews:"), row[1]) for row in rows(self.session, statement))
        return out


def _places(session: Session, where: Any) -> list[Place]:
    statement = pick(
        RemoteFolder.id, RemoteFolder.mailbox_id, RemoteFolder.remote_id, RemoteFolder.name, RemoteFolder.uidvalidity,
        RemoteFolder.uidnext, RemoteFolder.highestmodseq, RemoteFolder.sync_state,
    )  # fmt: skip
    return [Place(*row) for row in rows(session, statement.where(where).order_by(col(RemoteFolder.id)))]


def _of(mailbox_id: int) -> Any:
    return col(RemoteFolder.mailbox_id) == mailbox_id


def _in(place_id: int) -> Any:
    return col(RemoteItem.remote_folder_id) == place_id
