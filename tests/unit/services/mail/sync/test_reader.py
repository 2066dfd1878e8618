"""The process that reads messages: it says the same as the pass itself, of anything; and what a pass does without it."""

from __future__ import annotations

import hashlib
import os
import random
import zlib
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from mailcrm.services.mail.parse.message import parse_message
from mailcrm.services.mail.parse.values import UnparsableMessage
from mailcrm.services.mail.sync import reader, reader_process
from mailcrm.services.mail.sync.reader import Reading, packed, read, unpacked
from mailcrm.services.mail.sync.reader_process import WORTH, Reader, ReaderProcess
from tests.bench.mailbox import messages
from tests.corpus.bombs import BOMBS

ODD = [
    b"",
    b"\r\n \r\n",
    b"From: a@example.com\r\n\r\nHello",
    b"\x00\xff" * 5000,
    b"Subject: =?utf-8?q?=ED=A0=80?=\r\n\r\n\xff",
]


@pytest.fixture(scope="module")
def process() -> Iterator[ReaderProcess]:
    started = ReaderProcess()
    assert started.is_ready(30)
    yield started
    started.close()


def everything(corpora: Path) -> list[bytes]:
    files = sorted(path for path in (corpora / "mime").rglob("*") if path.is_file())
    return [path.read_bytes() for path in files] + [raw for raw, _, _ in messages(200)] + ODD


def plain(reading: Reading) -> Reading:
    return replace(reading, stream=zlib.decompress(reading.stream))


def asked(process: ReaderProcess, raws: list[bytes]) -> list[Reading]:
    """One portion."""
    (found,) = process.ask([raws])
    return found


def test_portions_come_back_in_order_however_large(process: ReaderProcess) -> None:
    """What does not fit the pipe is not sent ahead: both would wait for the other to read."""
    dice = random.Random(1)

    def message(size: int) -> bytes:
        return b"Subject: x\r\nContent-Type: application/zip\r\n\r\n" + dice.randbytes(size)

    sizes = [
        [5_000_000],
        [10, 20],
        [],
        [600_000],
        [600_000, 90_000],
        [3_000_000],
        [700_000],
        [650_000],
        [30],
        [2_000_000],
    ]
    portions = [[message(size) for size in portion] for portion in sizes]
    answers = list(process.ask(portions))
    assert [[one.sha for one in answer] for answer in answers] == [
        [hashlib.sha256(raw).hexdigest() for raw in portion] for portion in portions
    ]


def test_a_reading_survives_the_way_between_the_processes(corpora: Path, process: ReaderProcess) -> None:
    """Every corpus message, empty ones and nonsense: what comes back is what the pass itself would have read."""
    raws = everything(corpora)
    assert len(raws) > 900
    expected = [read(raw) for raw in raws]
    assert [unpacked(packed(reading)) for reading in expected] == expected
    # The same content; how it is packed may differ by a bit from one process to another (isal).
    assert [plain(reading) for reading in asked(process, raws)] == [plain(reading) for reading in expected]
    assert asked(process, []) == []
    assert sum(reading.parsed is None for reading in expected) == 2  # those without a byte in them


def test_what_a_list_needs_is_the_same_without_the_html(corpora: Path) -> None:
    """`parse_for_list` leaves HTML unread where it can; text, files, their `inline` and the snippet do not change."""
    compared = 0
    for raw in everything(corpora):
        try:
            whole = parse_message(raw)
        except UnparsableMessage:
            continue
        listed = reader.parse_for_list(raw)
        assert listed.html in (None, whole.html)
        assert replace(listed, html=None) == replace(whole, html=None)
        compared += 1
    assert compared > 850


def test_a_hole_in_the_parser_is_said_by_its_name(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(_raw: bytes) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(reader, "parse_for_list", broken)
    reading = read(b"From: a@example.com\r\n\r\nHello")
    assert (reading.parsed, reading.broke) == (None, "ZeroDivisionError")
    assert unpacked(packed(reading)) == reading


def test_bombs_end_neither_process(process: ReaderProcess) -> None:
    """Threat 4: the process that read them goes on with the next batch."""
    raws = [make() for make in BOMBS.values()]
    answers = asked(process, raws)
    assert [answer.sha for answer in answers] == [read(raw).sha for raw in raws]
    assert asked(process, [b"Subject: next\r\n\r\n"])[0].parsed is not None


def test_few_messages_start_no_process() -> None:
    started: list[int] = []
    mine = Reader(start=lambda: started.append(1))  # type: ignore[arg-type,return-value]
    mine.expect(WORTH - 1)
    assert started == []
    assert mine.read(ODD) == [read(raw) for raw in ODD]
    mine.close()


def test_a_process_that_dies_is_done_without() -> None:
    """Whatever ends it, between two batches or before the first: the batch is read here, and nothing is lost."""
    mine = Reader()
    mine.expect(WORTH)
    started = mine._process
    assert started is not None
    assert started.is_ready(30)
    assert mine.read(ODD) == [read(raw) for raw in ODD]
    started.process.kill()
    assert mine.read(ODD) == [read(raw) for raw in ODD]
    assert mine.read(ODD) == [read(raw) for raw in ODD]
    mine.close()
    assert started.process.returncode is not None


def test_a_program_with_more_than_a_thousand_files_open_can_ask_it() -> None:
    """`select()` ends at 1,024: a worker with many mailboxes, or a server with many tabs, has more."""
    held = [os.open(os.devnull, os.O_RDONLY) for _ in range(1_100)]
    try:
        process = ReaderProcess()
        assert process.is_ready(30)
        assert asked(process, [ODD[2]]) == [read(ODD[2])]
        process.close()
    finally:
        for each in held:
            os.close(each)


def test_a_program_has_one_at_a_time() -> None:
    """However many mailboxes it syncs, memory stays bounded; the next pass may have it when the first has ended."""
    first, second = Reader(), Reader()
    first.expect(WORTH)
    second.expect(WORTH)
    assert first._process is not None
    assert second._process is None
    assert second.read(ODD) == [read(raw) for raw in ODD]
    first.close()
    second.expect(WORTH)
    assert second._process is not None
    second.close()


def test_no_process_can_be_started(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse() -> ReaderProcess:
        raise BlockingIOError

    mine = Reader(start=refuse)
    mine.expect(WORTH)
    assert mine.read(ODD) == [read(raw) for raw in ODD]
    mine.close()
    assert reader_process._taken.acquire(blocking=False)
    reader_process._taken.release()


def test_it_holds_no_database_and_ends_with_its_parent() -> None:
    """It stays small, and nobody has to end it: its stdin closes when its parent dies, however it dies."""
    one = ReaderProcess()
    assert one.is_ready(30)
    maps = Path(f"/proc/{one.process.pid}/maps")
    if maps.exists():
        assert "sqlite" not in maps.read_text()
    environment = Path(f"/proc/{one.process.pid}/environ")
    if environment.exists():
        assert "MAILCRM" not in environment.read_text()

    one._stdin.close()
    assert one.process.wait(10) == 0
    one.close()
