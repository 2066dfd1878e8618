"""Gets pending messages from the server and makes values of them: bytes into the blob store, parsed, or a reason.

Network and files, no database. What one message does wrong becomes that message's `Poison`; only failures of the
connection are raised.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime

from mailcrm.services.mail import blobs
from mailcrm.services.mail.imap.client import ImapConnection, RemoteMeta, Unfetchable
from mailcrm.services.mail.packs import Packer
from mailcrm.services.mail.parse.message import parse_for_list
from mailcrm.services.mail.search.text import words_of
from mailcrm.services.mail.sync.apply import Gone, Outcome, Poison, Skipped, Stored
from mailcrm.services.mail.sync.partial import Fetched, LargeMessage
from mailcrm.services.mail.sync.plan import BODIES, BODY_BYTES


def triage(
    connection: ImapConnection, uids: Sequence[int], since: datetime | None
) -> tuple[dict[int, RemoteMeta], list[Outcome]]:
    """Ask for sizes and dates; return what is worth fetching, and what needs no fetch (gone, older than `since`).

    UIDs that the server lists but says nothing about are in neither: they stay pending, with one more try.
    """
    meta = connection.fetch_meta(uids)
    done: list[Outcome] = []
    silent = [uid for uid in uids if uid not in meta]
    if silent:
        listed = set(connection.list_uids(min(silent), max(silent)))
        done += [Gone(uid) for uid in silent if uid not in listed]
    if since is not None:
        for uid, item in list(meta.items()):
            if item.internal_date is not None and item.internal_date < since:
                done.append(Skipped(uid, "history"))
                del meta[uid]
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


def outcomes_of(items: Sequence[Fetched], meta: Mapping[int, RemoteMeta], packer: Packer) -> list[Outcome]:
    """Parse a batch and put its bytes into the blob store, durably. Never raises for what is in a message."""
    streams: dict[str, bytes] = {}
    done = [_outcome_of(item, meta.get(item.uid), streams) for item in items]
    places = blobs.put_many(packer, streams)
    return [
        replace(outcome, place=places[outcome.sha])
        if isinstance(outcome, (Stored, Poison)) and outcome.sha in places
        else outcome
        for outcome in done
    ]


def _outcome_of(item: Fetched, about: RemoteMeta | None, streams: dict[str, bytes]) -> Outcome:
    named = (about.remote_id, about.labels) if about is not None else (None, None)
    if isinstance(item, Unfetchable):
        if item.reason == "too_large":
            return Skipped(item.uid, "too_large")
        return Poison(item.uid, "quarantine.malformed")
    if isinstance(item, LargeMessage):
        if item.parsed is None:
            return Poison(item.uid, "quarantine.broke", item.sha, item.size, {"kind": item.broke})
        return Stored(item.uid, item.flags, item.internal_date, item.sha, item.size, item.parsed, *named)
    sha, size = blobs.digest(item.raw), len(item.raw)
    if sha not in streams:
        streams[sha] = blobs.compress(item.raw)
    if not item.raw.strip():
        return Poison(item.uid, "quarantine.empty", sha, size)
    try:
        parsed = parse_for_list(item.raw)
        words = words_of(parsed)
    except Exception as error:  # a hole in the parser: this message waits, the others go on
        return Poison(item.uid, "quarantine.broke", sha, size, {"kind": type(error).__name__})
    return Stored(item.uid, item.flags, item.internal_date, sha, size, parsed, *named, words)
