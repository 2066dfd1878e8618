"""Sequence sets name exactly the UIDs they were made from, within a server's limits (A9 #3)."""

from hypothesis import given
from hypothesis import strategies as st

from mailcrm.services.mail.imap import uidset


@given(st.sets(st.integers(1, 2**32 - 1), max_size=300), st.integers(30, 900))
def test_sets_name_exactly_the_uids(uids: set[int], octets: int) -> None:
    parts = list(uidset.sets(uids, max_octets=octets))
    assert [uid for part in parts for uid in uidset.parse(part)] == sorted(uids)
    assert all(len(part) <= octets for part in parts)


def test_twenty_thousand_neighbours_are_one_range() -> None:
    assert list(uidset.sets(range(1, 20_001))) == ["1:20000"]
