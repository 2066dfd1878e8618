"""The fast readers of FETCH answers agree with IMAPClient's parser, or decline."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from imapclient.response_parser import parse_fetch_response

from mailcrm.services.mail.imap import answers

YEARS = st.datetimes(datetime(1900, 1, 2), datetime(9999, 12, 30))  # IMAPClient reads the year 99 as 1999
FLAGS = st.lists(st.sampled_from([b"\\Seen", b"\\Flagged", b"$Forwarded", b"NonJunk"]), max_size=3, unique=True)


@given(
    st.lists(st.tuples(st.integers(1, 2**32 - 1), st.binary(max_size=60), FLAGS), max_size=5, unique_by=lambda t: t[0])
)
def test_bodies_agree(items: list[tuple[int, bytes, list[bytes]]]) -> None:
    data: list[Any] = []
    for n, (uid, body, flags) in enumerate(items, 1):
        data += [(b"%d (UID %d BODY[] {%d}" % (n, uid, len(body)), body), b" FLAGS (%s))" % b" ".join(flags)]
    slow = parse_fetch_response(list(data), False, True) if data else {}
    assert answers.bodies(data) == {uid: item[b"BODY[]"] for uid, item in slow.items()}


@given(
    st.lists(st.tuples(st.integers(1, 2**32 - 1), FLAGS, YEARS, st.integers(-840, 840), st.integers(0, 10**9)), max_size=5, unique_by=lambda t: t[0])
)  # fmt: skip
def test_metas_agree(items: list[Any]) -> None:
    data: list[Any] = []
    for n, (uid, flags, when, zone, size) in enumerate(items, 1):
        months = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]
        text = (
            f'{n} (UID {uid} FLAGS ({b" ".join(flags).decode()}) INTERNALDATE "{when.day:2d}-{months[when.month - 1]}-'
            f'{when.year:04d} {when:%H:%M:%S} {"-" if zone < 0 else "+"}{abs(zone) // 60:02d}{abs(zone) % 60:02d}" '
            f"RFC822.SIZE {size})"
        )
        data.append(text.encode())
    fast = answers.metas(data)
    slow: dict[int, Any] = dict(parse_fetch_response(list(data), False, True)) if data else {}
    assert fast == {
        uid: (item[b"FLAGS"], item[b"INTERNALDATE"].astimezone(UTC), item[b"RFC822.SIZE"], None)
        for uid, item in slow.items()
    }


def test_metas_with_an_object_id() -> None:
    """RFC 8474: EMAILID in parentheses, from Dovecot 2.4, Yahoo and Fastmail."""
    line = b'1 (UID 4 FLAGS () INTERNALDATE " 1-Feb-2024 10:00:00 +0000" RFC822.SIZE 12 EMAILID (M6d99))'
    assert answers.metas([line]) == {4: ((), datetime(2024, 2, 1, 10, tzinfo=UTC), 12, "M6d99")}


def test_one_answer_that_cannot_be_read_takes_no_other_with_it() -> None:
    """A9 #6: IMAPClient loses the whole batch; and a FETCH without UID is about a sequence number."""
    data = [
        b"1 (UID 4 FLAGS (\\Seen) MODSEQ (7))",
        b'2 (UID 5 FLAGS (\\Seen) X "open)',
        b"3 (FLAGS (\\Deleted))",
        (b"4 (UID 6 FLAGS () MODSEQ (8) X-GM-LABELS ({3}", b"abc"),
        b' "\\\\Inbox" 2024))',
        b"5 (MODSEQ (9) UID 7 FLAGS (\\Flagged))",
        b"6 (UID 8 MODSEQ (10))",
    ]
    assert answers.states(data) == {
        4: ((b"\\Seen",), 7, None),
        6: ((), 8, (b"abc", b"\\Inbox", 2024)),
        7: ((b"\\Flagged",), 9, None),
    }
    assert set(answers.items(data)) == {4, 6, 7, 8}


def test_vanished_uids_are_ranges_or_nothing() -> None:
    """RFC 7162 §3.2.10; iCloud's malformed ones (providers.md) make no statement at all."""
    assert answers.vanished([b"(EARLIER) 41,43:116,118", b"5"], earlier=True) == ((41, 41), (43, 116), (118, 118))
    assert answers.vanished([b"(EARLIER) 9:3", b"5,7:6"], earlier=False) == ((5, 5), (6, 7))
    assert answers.vanished([], earlier=True) == ()
    for bad in (b"(EARLIER)", b"(EARLIER) 1:*", b"", b"(LATER) 4", b"(EARLIER) 4 5", b"-1"):
        assert answers.vanished([bad], earlier=True) is None
    assert answers.vanished([(b"(EARLIER) {1}", b"4")], earlier=True) is None


@given(st.lists(st.one_of(st.none(), st.binary(max_size=60), st.tuples(st.binary(max_size=30), st.binary(max_size=9)))))
def test_no_answer_raises(data: list[Any]) -> None:
    answers.states(data)
    answers.items(data)
    answers.vanished(data, earlier=True)
    answers.bodies(data)
    answers.metas(data)


def test_sizes_as_decimals() -> None:
    """MK: Mail.ru sends integers as decimals sometimes."""
    assert [answers.size_of(v) for v in (12, b"12.0", b"x", None, -1, b"1e400", b"nan")] == [12, 12, *[None] * 5]


def test_other_shapes_are_declined() -> None:
    assert answers.bodies([(b"1 (UID 1 BODY[] {5}", b"four")]) is None
    assert answers.bodies([(b"1 (BODY[] {4}", b"four"), b" UID 1)"]) is None
    assert answers.bodies([b"1 (UID 1 BODY[] NIL)"]) is None
    assert answers.metas([b"1 (UID 1 FLAGS ())"]) is None
    assert answers.metas([b'1 (UID 1 FLAGS (a) INTERNALDATE "31-Feb-2024 00:00:00 +0000" RFC822.SIZE 1)']) is None


@pytest.mark.parametrize("section", [b"(MESSAGE-ID)", b'("MESSAGE-ID")', b"(Message-Id)"])
def test_header_fields_are_found_however_the_section_is_spelled(section: bytes) -> None:
    """Field wound: Courier quotes the names; a folder with new UIDs was downloaded again as a whole."""
    (item,) = answers.items([(b"1 (UID 7 BODY[HEADER.FIELDS " + section + b"] {3}", b"abc"), b")"]).values()
    assert answers.header_fields(item) == b"abc"
    assert answers.header_fields({b"UID": 7}) is None
