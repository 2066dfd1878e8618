"""The process that reads messages for a first sync: hash, compress and parse, beside the one that fetches and stores.

Reads and writes frames on stdin and stdout: a request is the number of messages, their sizes and their bytes; the
answer is its length and, by `marshal`, a `Reading` of each as a tuple. Holds no settings and no database, so that it
stays at 30 MB; ends when its stdin closes, so that it never outlives its parent. `reader_process.py` starts it;
`read` is what a pass does by itself where there is none.
"""

from __future__ import annotations

import gc
import marshal
import signal
import struct
import sys
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any, BinaryIO

from mailcrm.services.mail.parse.message import parse_for_list
from mailcrm.services.mail.parse.values import Address, ParsedAttachment, ParsedMessage
from mailcrm.services.mail.search.text import Words, words_of
from mailcrm.services.mail.streams import compress, digest

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_TICK = timedelta(microseconds=1)


@dataclass(frozen=True, slots=True)
class Reading:
    """A message read: its name and compressed bytes, and what is in it. `parsed` has no text and no HTML.

    Without `parsed`: `broke` names the exception of a hole in the parser, '' for a message without a byte in it.
    """

    sha: str
    size: int
    stream: bytes
    parsed: ParsedMessage | None
    words: Words | None
    broke: str = ""


def read(raw: bytes) -> Reading:
    """Read one message. Never raises for what is in it."""
    sha, size, stream = digest(raw), len(raw), compress(raw)
    if not raw.strip():
        return Reading(sha, size, stream, None, None)
    try:
        parsed = parse_for_list(raw)
        words = words_of(parsed)
    except Exception as error:  # a hole in the parser: this message waits, the others go on
        return Reading(sha, size, stream, None, None, type(error).__name__)
    # The words are there, and nothing else needs the text: memory. Invitations are read when they are shown.
    return Reading(sha, size, stream, replace(parsed, text="", html=None, event=None, event_n=0), words)


def packed(reading: Reading) -> tuple[Any, ...]:
    """Return a reading as plain tuples: `pickle` would take longer than the parser."""
    parsed, words = reading.parsed, reading.words
    values = found = None
    if parsed is not None and words is not None:
        found = (words.subject, words.people, words.body, words.files)
        values = (
            parsed.rfc_message_id, parsed.in_reply_to, parsed.references, parsed.subject,
            None if parsed.sender is None else (parsed.sender.name, parsed.sender.address),
            *(
                tuple((one.name, one.address) for one in several)
                for several in (parsed.from_, parsed.reply_to, parsed.to, parsed.cc, parsed.bcc)
            ),
            None if parsed.sent_at is None else (parsed.sent_at - _EPOCH) // _TICK,
            tuple(
                (a.n, a.filename, a.content_type, a.size, a.inline, a.content_id, a.section) for a in parsed.attachments
            ),
            parsed.snippet, parsed.auto_submitted, parsed.list_id,
        )  # fmt: skip
    return reading.sha, reading.size, reading.stream, values, found, reading.broke


def unpacked(plain: tuple[Any, ...]) -> Reading:
    """Return the reading that `packed` was given."""
    sha, size, stream, values, found, broke = plain
    if values is None:
        return Reading(sha, size, stream, None, None, broke)
    own, parent, references, subject, sender, from_, reply_to, to, cc, bcc, sent, files, snippet, auto, list_id = values
    parsed = ParsedMessage(
        rfc_message_id=own,
        in_reply_to=parent,
        references=references,
        subject=subject,
        sender=None if sender is None else Address(*sender),
        from_=_addresses(from_),
        reply_to=_addresses(reply_to),
        to=_addresses(to),
        cc=_addresses(cc),
        bcc=_addresses(bcc),
        sent_at=None if sent is None else _EPOCH + sent * _TICK,
        text="",
        html=None,
        attachments=tuple(ParsedAttachment(*file) for file in files),
        snippet=snippet,
        auto_submitted=auto,
        list_id=list_id,
        event=None,
        event_n=0,
    )
    return Reading(sha, size, stream, parsed, Words(*found), broke)


def _addresses(plain: tuple[tuple[str, str], ...]) -> tuple[Address, ...]:
    return tuple(Address(name, address) for name, address in plain)


def main() -> None:
    """Answer requests until stdin closes."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's to handle
    gc.freeze()
    gc.set_threshold(50_000, 20, 20)  # what is read makes no rings: 700, Python's own, are a few messages
    source, sink = sys.stdin.buffer, sys.stdout.buffer
    answer(sink, [])  # ready
    while len(head := source.read(4)) == 4:
        (count,) = struct.unpack("=I", head)
        sizes = struct.unpack(f"={count}I", source.read(4 * count))
        answer(sink, [packed(read(source.read(size))) for size in sizes])


def answer(sink: BinaryIO, readings: list[tuple[Any, ...]]) -> None:
    """Write one frame."""
    body = marshal.dumps(readings)
    sink.write(struct.pack("=I", len(body)))
    sink.write(body)
    sink.flush()


if __name__ == "__main__":
    main()
