"""BODYSTRUCTURE as servers really send it, and as they should not: then None, and the whole message is fetched."""

from __future__ import annotations

import tracemalloc
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mailcrm.services.mail.imap.structure import joined, read

TEXT = b'("text" "plain" ("charset" "utf-8") NIL NIL "7bit" 12 1 NIL NIL NIL NIL)'
PDF = b'("application" "pdf" ("name" "a.pdf") NIL NIL "base64" 99 NIL ("attachment" ("filename" "a.pdf")) NIL NIL)'
ENVELOPE = b"(NIL NIL NIL NIL NIL NIL NIL NIL NIL NIL)"
MESSAGE = b'("message" "rfc822" NIL NIL NIL "7bit" 500 ' + ENVELOPE + TEXT + b' 20 NIL ("inline" NIL) NIL NIL)'


def multipart(*parts: bytes, subtype: bytes = b"mixed", boundary: bytes = b"b") -> bytes:
    return b"(" + b"".join(parts) + b' "' + subtype + b'" ("boundary" "' + boundary + b'") NIL NIL)'


def answer(body: bytes) -> bytes:
    return b"1 (UID 7 BODYSTRUCTURE " + body + b")"


def facts(body: bytes) -> list[tuple[str, str, int, str]] | None:
    root = read(answer(body))
    return None if root is None else [(s.number, s.content_type, s.size, s.disposition) for s in root.leaves()]


def test_one_part_and_many() -> None:
    """RFC 3501 §7.4.2: numbers count from 1 in each multipart; a message that is one part is part 1."""
    assert facts(PDF) == [("1", "application/pdf", 99, "attachment")]
    assert facts(multipart(multipart(TEXT, TEXT, subtype=b"alternative"), PDF)) == [
        ("1.1", "text/plain", 12, ""), ("1.2", "text/plain", 12, ""), ("2", "application/pdf", 99, "attachment"),
    ]  # fmt: skip
    assert facts(multipart(TEXT, MESSAGE)) == [("1", "text/plain", 12, ""), ("2", "message/rfc822", 500, "inline")]


def test_literals_stand_for_strings() -> None:
    """A server may send any string as a literal; imaplib hands it over beside its line."""
    data = [(b'1 (UID 7 BODYSTRUCTURE ("application" "pdf" ("name" {6}', b'a"\\b.p'), b') NIL NIL "base64" 99))']
    root = read(joined(data))
    assert root is not None
    assert root.size == 99


@pytest.mark.parametrize(
    "body",
    [
        b"NIL",
        b"()",
        b"(())",
        b'("text" "plain")',
        b'("text" "plain" NIL NIL NIL "7bit" "big")',
        b'("text" "plain" NIL NIL NIL "7bit" -5)',
        b'(("text" "plain" NIL NIL NIL "7bit" 1 1) NIL)',
        b'(("text" "plain" NIL NIL NIL "7bit" 1 1) "mixed" NIL)',  # no boundary: nothing to put it together with
        b'("multipart" "mixed" ("boundary" "x") NIL NIL "7bit" 5)',
        b'("text" "plain" ("charset" "utf-8"',
        b"(" * 5_000,
        b"(" * 5_000 + b")" * 5_000,
        multipart(*[TEXT] * 300),
        b'("text" "pl" extra" NIL NIL "7bit" 3 1)',  # an unescaped quote
    ],
)
def test_what_makes_no_sense_is_refused(body: bytes) -> None:
    """sync.md A2: Gmail, QQ and Yandex have sent broken ones."""
    assert facts(body) is None


@settings(max_examples=500, deadline=None)
@given(
    st.lists(
        st.sampled_from([b"(", b")", b'"', b"NIL", b" ", b"1", b"text", b"\\", TEXT, PDF, MESSAGE, b"\xff"]),
        max_size=30,
    )
)
def test_nothing_raises(pieces: list[bytes]) -> None:
    read(answer(b"".join(pieces)))


def test_recorded_answers_are_read_or_refused(corpora: Path) -> None:
    """Another project's recordings of real servers: none raises."""
    found = [path for path in (corpora / "extra" / "imap_responses_netimap").rglob("*") if path.is_file()]
    lines = [line for path in found for line in path.read_bytes().splitlines() if b"BODYSTRUCTURE" in line]
    assert len(lines) > 3
    for line in lines:
        read(line)


def test_a_structure_of_20_mb_takes_no_memory() -> None:
    """One quoted string of that length took 3.9 GB of the worker's memory before it was refused."""
    tracemalloc.start()
    try:
        assert read(b'1 (BODYSTRUCTURE ("' + b"a" * 20_000_000 + b'" "plain" NIL))') is None
        assert read(b'1 (BODYSTRUCTURE ("' + b"a" * 900_000 + b'" "plain" NIL))') is None
        assert read(b"1 (BODYSTRUCTURE " + b"(" * 10_000) is None
        assert tracemalloc.get_traced_memory()[1] < 90_000_000  # putting the answer together takes 60
    finally:
        tracemalloc.stop()
