"""What other programs do to a mailbox, as values that Hypothesis draws, and how they are done to a fake account.

An act names folders and messages by numbers that are taken modulo what is there, so that every act fits every state.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from hypothesis import strategies as st

from tests.fakes.imap.account import ALL_MAIL, Account, Box, Quirks

NOW = datetime.now(UTC).replace(microsecond=0)
RECENT, OLD = NOW - timedelta(days=3), NOW - timedelta(days=400)
NAMES = ("Arbeit", "日本", "Archive", "Sent Items", 'Q "x\\y', "a&b", "Arbeit/Alt", "Neu")
FLAG_SETS = (frozenset[str](), frozenset({"\\Seen"}), frozenset({"\\Seen", "\\Flagged"}), frozenset({"$Work"}))
GAPS = (0, 0, 0, 1, 7, 1_000, 70_000, 3_000_000, 2**31, 2**32)


def _raw(message_id: str, body: str, *, subject: str = "s", refers: str = "", sender: str = "bob@away.test") -> bytes:
    head = f"From: Bob <{sender}>\r\nTo: ann@home.test\r\n"
    if message_id:
        head += f"Message-ID: <{message_id}>\r\n"
    if refers:
        head += f"References: <{refers}>\r\n"
    return f"{head}Date: Thu, 01 Feb 2024 10:00:00 +0000\r\nSubject: {subject}\r\n\r\n{body}\r\n".encode()


SHAPES: tuple[bytes, ...] = (
    *(_raw(f"{n}@m.test", f"body {n}", refers=f"{n - 1}@m.test" if n % 3 else "") for n in range(6)),
    _raw("0@m.test", "body 0 in other words"),  # the same Message-ID, other bytes
    _raw("0@m.test", "body X"),  # and of the same size as the first
    _raw("", "no Message-ID"),
    _raw("", "No Message-ID"),
    _raw("9@m.test", "by the user", sender="ann@home.test"),
    b"\r\n",
    b"",
    b"garbage without a header \xff\xfe\x00\r\n",
    _raw("{7}\r\n x", "a Message-ID that tries", subject=") {3}\r\n a"),
    _raw("8@m.test", "x" * 3000 + "\r\n* 1 EXPUNGE\r\na1 OK\r\n"),
)

_i = st.integers(0, 30)
_deliver = st.tuples(
    st.just("deliver"),
    _i,
    st.integers(0, len(SHAPES) - 1),
    st.integers(0, len(GAPS) - 1),
    st.integers(0, 3),
    st.booleans(),
)
ACTS = st.one_of(
    _deliver,
    _deliver,
    _deliver,
    st.tuples(st.just("flag"), _i, _i, st.integers(0, 3)),
    st.tuples(st.just("move"), _i, _i, _i),
    st.tuples(st.just("copy"), _i, _i, _i),
    st.tuples(st.just("expunge"), _i, _i),
    st.tuples(st.just("empty"), _i),
    st.tuples(st.just("create"), _i),
    st.tuples(st.just("rename"), _i, _i),
    st.tuples(st.just("delete"), _i),
    st.tuples(st.just("recreate"), _i, st.booleans()),
    st.tuples(st.just("flip"), _i, st.booleans()),
    st.tuples(st.just("crowd"), _i, st.integers(51, 70)),
)
LIES = st.tuples(
    st.sampled_from(
        ("search_omits", "search_empty", "status_off", "exists_off", "list_omits", "fetch_omits", "fetch_twice")
    ),
    st.integers(-2, 5),
)

Act = tuple[Any, ...]


def act(account: Account, what: Act) -> None:
    """Do one act to the account; nothing when there is nothing to do it to."""
    kind, *numbers = what
    boxes = sorted(account.boxes.values(), key=lambda b: b.number)
    if kind == "create":
        name = NAMES[numbers[0] % len(NAMES)]
        if name not in account.boxes:
            account.create(name)
        return
    box = boxes[numbers[0] % len(boxes)]
    uids = box.uids()
    movable = [b for b in boxes if b.name not in ("INBOX", ALL_MAIL)]
    if kind == "deliver":
        _, shape, gap, flags, old = numbers
        # No two shapes come in the same second: Message-ID, size and INTERNALDATE together name a message (sync.md A1).
        when = (OLD if old else RECENT) + timedelta(minutes=shape)
        account.deliver(box, SHAPES[shape], FLAG_SETS[flags], when, gap=GAPS[gap])
    elif kind == "crowd":
        for n in range(numbers[1]):
            account.deliver(box, _raw(f"c{n}@m.test", "crowd"), (), RECENT)
    elif kind in ("flag", "move", "copy", "expunge"):
        if not uids:
            return
        uid = uids[numbers[1] % len(uids)]
        if kind == "flag":
            account.flag(box, uid, FLAG_SETS[numbers[2]])
        elif kind == "expunge":
            account.expunge(box, [uid])
        else:
            (account.move if kind == "move" else account.copy)(box, uid, boxes[numbers[2] % len(boxes)])
    elif kind == "empty":
        account.expunge(box, uids)
    elif kind == "flip":
        account.flip(box, restart=numbers[1])
    elif movable:
        _to_folder(account, kind, movable[numbers[0] % len(movable)], numbers)


def _to_folder(account: Account, kind: str, box: Box, numbers: list[Any]) -> None:
    if kind == "rename":
        name = NAMES[numbers[1] % len(NAMES)]
        if name not in account.boxes:
            account.rename(box, name)
    else:
        account.delete(box)
        if kind == "recreate":
            again = account.create(box.name, box.attributes)
            if numbers[1]:
                account.deliver(again, SHAPES[1], (), RECENT)


_EXTRAS = ("SPECIAL-USE", "OBJECTID", "UIDPLUS", "MOVE", "UTF8=ACCEPT", "ESEARCH", "UNSELECT")
_LEVELS = (
    frozenset[str](),
    frozenset({"CONDSTORE"}),
    frozenset({"CONDSTORE", "QRESYNC", "ENABLE"}),
    frozenset({"CONDSTORE", "ENABLE", "LIST-EXTENDED", "LIST-STATUS"}),
    frozenset({"CONDSTORE", "QRESYNC", "ENABLE", "LIST-EXTENDED", "LIST-STATUS", "OBJECTID"}),
    frozenset({"LIST-EXTENDED", "LIST-STATUS"}),
    frozenset({"CONDSTORE", "X-GM-EXT-1", "SPECIAL-USE", "MOVE", "UIDPLUS", "ENABLE"}),
)
QUIRKS = st.builds(
    lambda level, extras, **k: Quirks(level | extras, **k),
    st.sampled_from(_LEVELS),
    st.frozensets(st.sampled_from(_EXTRAS), max_size=4),
    uidnext=st.sampled_from((True, True, True, False)),
    nomodseq=st.sampled_from((frozenset[str](), frozenset[str](), frozenset({"INBOX"}))),
    uid_last=st.booleans(),
    nil_body=st.booleans(),
    echo=st.booleans(),
    quoted_names=st.booleans(),
    forgets_expunged=st.booleans(),
    tells_at_once=st.booleans(),
    ghosts=st.booleans(),
)


def new_account(quirks: Quirks, folders: int, high: bool) -> Account:
    """Return an account with INBOX and a few folders; `high`: its UIDs begin close to the end."""
    account = Account(quirks, [])
    account.create("INBOX", uidnext=2**32 - 9 if high else 1)
    if quirks.has("X-GM-EXT-1"):
        account.create(ALL_MAIL, ("\\All",))
    for name, attribute in (("Sent", "\\Sent"), ("Arbeit", ""), ("Trash", "\\Trash"))[:folders]:
        account.create(name, (attribute,) if attribute else ())
    return account
