"""The truth table of write-back, row by row, and as a property over every interruption (M15, M16)."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailcrm.services.mail.imap.writing import Landed, copyuid
from mailcrm.services.mail.writeback.plan import (
    BACK,
    FLAGS,
    OPPOSITE,
    Can,
    Copy,
    End,
    Found,
    Kind,
    Move,
    Remove,
    Step,
    Store,
    Wish,
    decide,
    is_gmail,
)

ALL = Can(move=True, uidplus=True)
PLUS = Can(move=False, uidplus=True)
NONE = Can(move=False, uidplus=False)

ROWS: list[tuple[Wish, Found, Can, Step]] = [
    (Wish("read"), Found(True), ALL, Store(True)),
    (Wish("unread"), Found(True, seen=True), ALL, Store(False)),
    (Wish("read"), Found(True, seen=True), ALL, End("done", "already")),
    (Wish("read", begun=True), Found(True, seen=True), ALL, End("done", "done")),
    (Wish("read"), Found(False), ALL, End("obsolete", "gone")),
    (Wish("read", followed=True), Found(True), ALL, End("obsolete", "replaced")),
    (Wish("read", allowed=False), Found(True), ALL, End("obsolete", "switched_off")),
    (Wish("archive"), Found(True), ALL, Move()),
    (Wish("archive"), Found(True), PLUS, Copy()),
    (Wish("archive"), Found(True), NONE, End("failed", "writeback.no_safe_move")),
    (Wish("archive", begun=True), Found(True, there=True), PLUS, Remove()),
    (Wish("archive", begun=True), Found(True, deleted=True, there=True), PLUS, Remove()),
    (Wish("archive", begun=True, allowed=False), Found(True, there=True), PLUS, Remove()),
    (Wish("archive"), Found(True, there=True), PLUS, Copy()),
    (Wish("archive", begun=True), Found(False, there=True), ALL, End("done", "done", moved=True)),
    (Wish("archive"), Found(False, there=True), ALL, End("done", "already", moved=True)),
    (Wish("archive"), Found(False, elsewhere=True), ALL, End("obsolete", "moved")),
    (Wish("archive"), Found(False), ALL, End("obsolete", "gone")),
    (Wish("archive"), Found(True, deleted=True), ALL, End("obsolete", "deleted_there")),
    (Wish("archive", allowed=False), Found(True), ALL, End("obsolete", "switched_off")),
    (Wish("archive"), Found(True, target=False), ALL, End("failed", "writeback.no_archive")),
    (Wish("delete"), Found(True, target=False), ALL, End("failed", "writeback.no_trash")),
    (Wish("undelete"), Found(True, target=False), ALL, End("failed", "writeback.no_way_back")),
    (Wish("delete"), Found(True, same=True), ALL, End("done", "already")),
    (Wish("unarchive", keeps=True), Found(True), ALL, Copy()),
    (Wish("unarchive", keeps=True, begun=True), Found(True, there=True), ALL, End("done", "done", moved=True)),
]


@pytest.mark.parametrize(("wish", "found", "can", "step"), ROWS)
def test_the_table(wish: Wish, found: Found, can: Can, step: Step) -> None:
    assert decide(wish, found, can) == step


@dataclass
class Server:
    """Where copies of one message are, by folder; each with its flags."""

    source: list[set[str]] = field(default_factory=lambda: [set()])
    target: list[set[str]] = field(default_factory=list)
    trash_bin: int = 0  # copies that were removed for ever

    def find(self, wish: Wish) -> Found:
        here = bool(self.source)
        flags = self.source[0] if here else set()
        return Found(here, "\\Seen" in flags, "\\Deleted" in flags, bool(self.target))

    def do(self, step: Step) -> None:
        match step:
            case Store(seen):
                (self.source[0].add if seen else self.source[0].discard)("\\Seen")
            case Move():
                self.target.append(self.source.pop())
            case Copy():
                self.target.append(set(self.source[0]))
            case Remove():
                self.source.pop()
                self.trash_bin += 1
            case End():
                pass


KINDS = st.sampled_from(sorted(OPPOSITE))
CANS = st.builds(Can, move=st.booleans(), uidplus=st.booleans())


@given(kind=KINDS, can=CANS, crashes=st.lists(st.sampled_from(["before", "after", ""]), max_size=8), off=st.booleans())
def test_whatever_breaks_it_ends_with_one_message_in_one_place(
    kind: Kind, can: Can, crashes: list[str], off: bool
) -> None:
    """A crash before or after any command, a setting switched off on the way: one copy is left, in one folder."""
    server, begun, allowed = Server(), False, True
    for n in range(20):
        step = decide(Wish(kind, begun, allowed), server.find(Wish(kind)), can)
        if isinstance(step, End):
            break
        begun = True  # noted before the command
        crash = crashes[n] if n < len(crashes) else ""
        if crash != "before":
            server.do(step)
        if crash and off:
            allowed = False
    else:
        pytest.fail("it never ends")
    assert len(server.source) + len(server.target) == 1
    if kind in FLAGS:
        assert server.trash_bin == 0
        assert not server.target
        return
    assert step.state != "failed" or not (can.move or can.uidplus)
    assert bool(server.target) == (step.state == "done")
    again = decide(Wish(kind, begun, allowed), server.find(Wish(kind)), can)
    assert isinstance(again, End), "applying a plan twice sends nothing"
    assert again.state == step.state or step.outcome == "switched_off"


@given(st.builds(Wish, KINDS, *[st.booleans()] * 4), st.builds(Found, *[st.booleans()] * 7), CANS)
def test_nothing_is_removed_whose_copy_was_not_seen_and_begun(wish: Wish, found: Found, can: Can) -> None:
    """Never loses a message, whatever a server says."""
    step = decide(wish, found, can)
    if isinstance(step, Remove):
        assert wish.begun
        assert found.here
        assert found.there
        assert can.uidplus
    if wish.kind in FLAGS:
        assert isinstance(step, (Store, End))
    if isinstance(step, End) and step.moved:
        assert found.there


def test_each_act_has_its_opposite() -> None:
    assert all(OPPOSITE[OPPOSITE[kind]] == kind for kind in OPPOSITE)
    assert all(OPPOSITE[kind] not in BACK for kind in BACK)


def test_gmail_is_known_by_what_it_offers() -> None:
    assert is_gmail("IMAP4REV1 X-GM-EXT-1 MOVE", "generic")
    assert is_gmail("", "gmail")
    assert not is_gmail("IMAP4REV1 MOVE", "gmail")


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        (b"38505 304,319:320 3956:3958", Landed(38505, {304: 3956, 319: 3957, 320: 3958})),
        (b"1 5,3 10:11", Landed(1, {5: 10, 3: 11})),  # they correspond by place, not by size
        (b"1 5:6 11:10", Landed(1, {5: 11, 6: 10})),
        (b"1 5 6:7", None),
        (b"1 1:4294967295 1:4294967295", None),
        (b"x 5 6", None),
        (b"1 * 6", None),
        (b"", None),
        (None, None),
    ],
)
def test_copyuid_is_read_in_order_or_not_at_all(line: object, expected: Landed | None) -> None:
    assert copyuid(line) == expected
