"""Folder names both ways: modified UTF-7, UTF-8, and bytes that are neither (providers.md section 7)."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from mailcrm.services.mail.imap import names


@pytest.mark.parametrize(
    ("raw", "name"),
    [
        (b"INBOX", "INBOX"),
        (b"&U,BTFw-", "台北"),
        (b"Tom &- Jerry", "Tom & Jerry"),
        (b"&g0l6P3ux-", "草稿箱"),  # Netease
        (b"Entw&APw-rfe", "Entwürfe"),
        (b'a\\b"c', 'a\\b"c'),
        (b"", ""),
    ],
)
def test_modified_utf_7(raw: bytes, name: str) -> None:
    assert names.decode(raw) == name
    assert names.encode(name) == raw


@pytest.mark.parametrize(
    ("raw", "shown"),
    [
        (b"&bad", "&bad"),  # a shift that never ends
        (b"AT&T", "AT&T"),  # an ampersand that nobody escaped
        ("Entwürfe".encode(), "Entwürfe"),  # UTF-8 without being asked
        (b"&AGE-", "&AGE-"),  # ASCII in base64: valid, but nobody writes it so
        (b"Entw\xfcrfe", "Entw\uf7fcrfe"),  # Latin-1
        (b"&AA0ACg-", "&AA0ACg-"),  # a line break in base64
        (b"&2AA-", "&2AA-"),  # half a surrogate pair
    ],
)
def test_names_that_are_not_modified_utf_7_are_kept_byte_for_byte(raw: bytes, shown: str) -> None:
    name = names.decode(raw)
    assert name == names.RAW + shown
    assert names.encode(name) == raw


def test_utf8_accept_has_the_same_names_for_people() -> None:
    """RFC 6855: what was stored before UTF8=ACCEPT is the same folder afterwards."""
    for name in ("台北", "Tom & Jerry", "Entwürfe", "仕事"):
        assert names.decode(name.encode(), utf8=True) == names.decode(names.encode(name)) == name
        assert names.encode(name, utf8=True) == name.encode()


@given(raw=st.binary(max_size=60), utf8=st.booleans())
@example(raw="\u2060x".encode(), utf8=True)
@example(raw=names.encode("\u2060x"), utf8=False)
@example(raw="\uf741".encode(), utf8=True)
@example(raw=b"\xef\x9d\x81", utf8=False)
@example(raw=b"a\0b", utf8=False)
def test_every_name_goes_back_as_it_came(raw: bytes, utf8: bool) -> None:
    name = names.decode(raw, utf8=utf8)
    assert names.encode(name, utf8=utf8) == raw
    name.encode()  # a database takes it


@given(one=st.binary(max_size=20), two=st.binary(max_size=20), utf8=st.booleans())
def test_two_folders_never_get_one_name(one: bytes, two: bytes, utf8: bool) -> None:
    assert (names.decode(one, utf8=utf8) == names.decode(two, utf8=utf8)) == (one == two)


def test_labels_of_gmail() -> None:
    """sync.md A9 #19: X-GM-LABELS are modified UTF-7; bogus integers and NIL were seen in the field."""
    assert [names.label(raw) for raw in (b"\\Inbox", b"&U,BTFw-", b"&bad", 2024, None)] == [
        "\\Inbox", "台北", "&bad", "2024", "",
    ]  # fmt: skip


def test_a_name_too_long_for_an_index_is_cut_and_told_apart() -> None:
    """PostgreSQL refused a name of 3,000 octets, and with it every pass over the mailbox."""
    one, other = ("仕" * 3000 + end for end in "ab")
    assert names.bounded(one) != names.bounded(other)
    assert all(len(names.bounded(name).encode()) <= names.MOST for name in (one, other))
    assert names.bounded("仕事") == "仕事"
