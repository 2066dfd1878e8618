"""The fast readers of FETCH answers agree with IMAPClient's parser, or decline."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

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
        uid: (item[b"FLAGS"], item[b"INTERNALDATE"].astimezone(UTC), item[b"RFC822.SIZE"]) for uid, item in slow.items()
    }


def test_other_shapes_are_declined() -> None:
    assert answers.bodies([(b"1 (UID 1 BODY[] {5}", b"four")]) is None
    assert answers.bodies([(b"1 (BODY[] {4}", b"four"), b" UID 1)"]) is None
    assert answers.bodies([b"1 (UID 1 BODY[] NIL)"]) is None
    assert answers.metas([b"1 (UID 1 FLAGS ())"]) is None
    assert answers.metas([b'1 (UID 1 FLAGS (a) INTERNALDATE "31-Feb-2024 00:00:00 +0000" RFC822.SIZE 1)']) is None
