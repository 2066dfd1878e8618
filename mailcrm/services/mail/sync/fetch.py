"""Gets pending messages from the server and makes values of them: bytes into the blob store, parsed, or a reason.

Network and files; of the database only what `identify.py` asks. What one message does wrong becomes that message's
`Poison`; only failures of the connection are raised.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime

from mailcrm.services.mail import blobs
from mailcrm.services.mail.imap.client import RemoteMessage, RemoteMeta, Unfetchable
from mailcrm.services.mail.packs import Packer, Place
from mailcrm.services.mail.remote import MailConnection
from mailcrm.services.mail.sync import identify
from mailcrm.services.mail.sync.apply import Gone, Outcome, Poison, Skipped, Stored
from mailcrm.services.mail.sync.partial import Fetched, LargeMessage
from mailcrm.services.mail.sync.plan import BODIES, BODY_BYTES
from mailcrm.services.mail.sync.reader import Reading, read

ReadAll = Callable[[Sequence[bytes]], Sequence[Reading]]


def triage(
    connection: MailConnection, mailbox_id: int, uids: Sequence[int], since: datetime | None
) -> tuple[dict[int, RemoteMeta], list[Outcome]]:
    """Ask for sizes and dates; return what is worth fetching, and what needs no fetch (gone, older than `since`).

    What may be stored already is worth it however old it is: somebody moved it, and it is not to be lost by that.
    UIDs that the server lists but says nothing about are in neither: they stay pending, with one more try.
    """
    meta = connection.fetch_meta(uids)
    done: list[Outcome] = []
    silent = [uid for uid in uids if uid not in meta]
    if silent:
        listed = set(connection.list_uids(min(silent), max(silent)))
        done += [Gone(uid) for uid in silent if uid not in listed]
    if since is not None:
        old = [item for item in meta.values() if item.internal_date is not None and item.internal_date < since]
        familiar = identify.familiar(mailbox_id, old)
        for item in old:
            if item.uid not in familiar:
                done.append(Skipped(item.uid, "history"))
                del meta[item.uid]
    return meta, done


def batches(meta: Mapping[int, RemoteMeta], first: int | None) -> Iterator[list[int]]:
    """Cut messages into fetches, newest first: at most `BODIES` and about `BODY_BYTES` each, `first` in the first."""
    batch: list[int] = []
    size = 0
    most = first or BODIES
    for uid in sorted(meta, reverse=True):
        if batch and (len(batch) >= most or size + meta[uid].size > BODY_BYTES):
            yield batch
            batch, size, most = [], 0, BODIES
        batch.append(uid)
        size += meta[uid].size
    if batch:
        yield batch


def _read_here(raws: Sequence[bytes]) -> list[Reading]:
    return [read(raw) for raw in raws]


def outcomes_of(
    items: Sequence[Fetched], meta: Mapping[int, RemoteMeta], packer: Packer, read_all: ReadAll = _read_here
) -> list[Outcome]:
    """Read a batch and put its bytes into the blob store, durable once `packer` is flushed. Never raises for what is in a message."""
    whole = [item for item in items if isinstance(item, RemoteMessage)]
    readings = read_all([item.raw for item in whole])
    places = blobs.put_many(packer, {reading.sha: reading.stream for reading in readings})
    read_of = dict(zip(map(id, whole), readings, strict=True))
    return [_outcome_of(item, meta.get(item.uid), read_of.get(id(item)), places) for item in items]


def _outcome_of(item: Fetched, about: RemoteMeta | None, found: Reading | None, places: Mapping[str, Place]) -> Outcome:
    named = (about.remote_id, about.labels) if about is not None else (None, None)
    if isinstance(item, Unfetchable):
        if item.reason == "too_large":
            return Skipped(item.uid, "too_large")
        return Poison(item.uid, "quarantine.malformed")
    if isinstance(item, LargeMessage):
        if item.parsed is None:
            return Poison(item.uid, "quarantine.broke", item.sha, item.size, {"kind": item.broke})
        return Stored(item.uid, item.flags, item.internal_date, item.sha, item.size, item.parsed, *named)
    assert found is not None
    sha, size, place = found.sha, found.size, places.get(found.sha)
    if found.parsed is not None:
        return Stored(item.uid, item.flags, item.internal_date, sha, size, found.parsed, *named, found.words, place)
    if found.broke:
        return Poison(item.uid, "quarantine.broke", sha, size, {"kind": found.broke}, place)
    return Poison(item.uid, "quarantine.empty", sha, size, place=place)
