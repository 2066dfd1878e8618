"""LIST and STATUS answers as servers write them, and as they garble them."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from mailcrm.services.mail.imap.listing import folders, statuses
from mailcrm.services.mail.imap.values import FolderStatus


def names(*data: object) -> list[bytes]:
    return [folder.raw for folder in folders(data)[0]]


def test_every_way_to_write_a_name() -> None:
    assert names(
        b'(\\HasNoChildren) "/" INBOX',
        b'(\\HasNoChildren) "/" "a \\"quoted\\" \\\\ name"',
        (b'(\\HasNoChildren) "." {5}', b"lit\xffx"),
        b"",
        b'() NIL "flat"',
        b'() "/" 2024',
        b'() "/" NIL',
        b'(\\NonExistent) "/" parent ("CHILDINFO" ("SUBSCRIBED"))',
    ) == [b"INBOX", b'a "quoted" \\ name', b"lit\xffx", b"flat", b"2024", b"NIL", b"parent"]


def test_a_line_that_cannot_be_read_hides_no_other_folder() -> None:
    """providers.md, Microsoft: names with control characters come unquoted; the listing is then not whole."""
    found, whole = folders([b'() "/" INBOX', b'() "/" "open', b'() "/"', b'() "/" Sent'])
    assert [folder.raw for folder in found] == [b"INBOX", b"Sent"]
    assert not whole
    assert folders([None]) == ([], True)


def test_a_folder_that_is_listed_twice_is_one() -> None:
    """Field wound: overlapping namespaces list a folder twice; a second row of its name ended the pass."""
    assert names(b'() "/" INBOX', b'(\\Sent) "/" Sent', b'() "/" "Sent"', b'() "/" INBOX') == [b"INBOX", b"Sent"]
    assert folders([b'(\\Sent) "/" Sent', b'() "/" Sent'])[0][0].attributes == ("\\Sent",)


def test_statuses_beside_the_listing() -> None:
    """RFC 5819 with CONDSTORE and OBJECTID; a folder without mod-sequences says 0; a line without counts is none."""
    assert statuses(
        [
            b'"a b" (MESSAGES 3 UIDNEXT 9 UIDVALIDITY 7 HIGHESTMODSEQ 12 MAILBOXID (F-1_x))',
            (b"{2}", b"xy"),
            b" (MESSAGES 1 UIDNEXT 2 UIDVALIDITY 3 HIGHESTMODSEQ 0)",
            b"bare (UIDVALIDITY 3)",
            b"odd (MESSAGES -1 UIDNEXT 2 UIDVALIDITY 3)",
            b"huge (MESSAGES 1 UIDNEXT 2 UIDVALIDITY 99999999999)",
            b"cut (MESSAGES",
        ]
    ) == {
        b"a b": FolderStatus(7, 9, 3, 12, "F-1_x"),
        b"xy": FolderStatus(3, 2, 1, None, ""),
    }


@given(st.lists(st.one_of(st.none(), st.binary(max_size=40), st.tuples(st.binary(max_size=20), st.binary(max_size=9)))))
def test_no_answer_raises(data: list[object]) -> None:
    folders(data)
    statuses(data)
