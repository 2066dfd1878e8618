"""What an IMAP server keeps of one user: folders, messages, UIDs, modification sequences; and what programs do to it.

Speaks no protocol (`session.py`). Nothing here happens by itself: every change is a call of the test, or of a session
that got a command. RFC 3501, 7162 (modseq, expunged UIDs), 8474 (object ids); Gmail's All Mail and labels.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime

LAST_UID = 2**32 - 1
ALL_MAIL = "[Gmail]/All Mail"
EPOCH = datetime(2026, 1, 1, tzinfo=UTC)


@dataclass(slots=True)
class Mail:
    """One message in one folder. `key` is the server's own id of it: copies and moves keep it."""

    uid: int
    raw: bytes
    flags: frozenset[str]
    date: datetime
    key: int
    modseq: int = 1

    @property
    def sha(self) -> str:
        return hashlib.sha256(self.raw).hexdigest()


@dataclass(slots=True, eq=False)
class Box:
    """A folder. `alive` is False after it was deleted or got another UIDVALIDITY: open sessions end then."""

    name: str
    uidvalidity: int
    number: int
    attributes: tuple[str, ...] = ()
    uidnext: int = 1
    modseq: int = 1
    mails: dict[int, Mail] = field(default_factory=dict[int, Mail])
    expunged: list[tuple[int, int]] = field(default_factory=list[tuple[int, int]])
    selectable: bool = True
    alive: bool = True

    def uids(self) -> list[int]:
        return sorted(self.mails)


@dataclass(slots=True)
class Quirks:
    """What a server does its own way. `offers` are capabilities after sign-in, besides IMAP4rev1."""

    offers: frozenset[str] = frozenset()
    uidnext: bool = True  # False: before RFC 3501
    nomodseq: frozenset[str] = frozenset()  # folders without modification sequences
    uid_last: bool = False  # in FETCH answers
    nil_body: bool = False  # an empty message comes as NIL
    echo: bool = True  # `9:20` beyond the end is answered with the last message
    quoted_names: bool = False
    forgets_expunged: bool = False  # VANISHED (EARLIER) names every UID that is not there (RFC 7162 §3.2.5.2)
    tells_at_once: bool = False  # untagged EXISTS, EXPUNGE and FETCH come before a command's own answer
    ghosts: bool = True  # who was not told yet can still read what another program expunged
    delimiter: str = "/"

    def has(self, name: str) -> bool:
        return name in self.offers


class Account:
    """One user's folders; acts of other programs are its methods."""

    def __init__(self, quirks: Quirks | None = None, folders: Iterable[tuple[str, str]] = (("INBOX", ""),)) -> None:
        self.quirks = quirks or Quirks()
        self.boxes: dict[str, Box] = {}
        self._numbers = 0
        self._keys = 0
        self._validity = 1000
        self.lies: list[tuple[str, int]] = []
        self.before_command: Callable[[str], None] = lambda line: None
        self.log: list[str] = []
        for name, attribute in folders:
            self.create(name, (attribute,) if attribute else ())

    @property
    def gmail(self) -> bool:
        return self.quirks.has("X-GM-EXT-1") and ALL_MAIL in self.boxes

    def lie(self, kind: str) -> int | None:
        """Take a lie of this kind, once; None when the truth is to be told."""
        for n, (found, amount) in enumerate(self.lies):
            if found == kind:
                del self.lies[n]
                return amount
        return None

    def create(self, name: str, attributes: tuple[str, ...] = (), *, uidnext: int = 1) -> Box:
        assert name not in self.boxes
        self._numbers += 1
        self._validity += 1
        box = Box(name, self._validity, self._numbers, attributes, uidnext)
        self.boxes[name] = box
        return box

    def rename(self, box: Box, name: str) -> None:
        assert name not in self.boxes
        del self.boxes[box.name]
        box.name = name
        self.boxes[name] = box

    def delete(self, box: Box) -> None:
        box.alive = False
        del self.boxes[box.name]

    def flip(self, box: Box, *, restart: bool) -> Box:
        """Give a folder another UIDVALIDITY and every message another UID; `restart` counts from 1 again."""
        box.alive = False
        self._validity += 1
        new = Box(box.name, self._validity, box.number, box.attributes, 1 if restart else min(box.uidnext, 2**31))
        for uid in box.uids():
            old = box.mails[uid]
            self._put(new, old.raw, old.flags, old.date, old.key)
        self.boxes[box.name] = new
        return new

    def deliver(
        self, box: Box, raw: bytes, flags: Iterable[str] = (), date: datetime = EPOCH, *, gap: int = 0
    ) -> Mail | None:
        """Put a message into a folder (on Gmail into All Mail too); None when its UIDs are used up."""
        self._keys += 1
        mail = self._put(box, raw, frozenset(flags), date, self._keys, gap)
        if mail is not None and self.gmail and box.name != ALL_MAIL:
            self._put(self.boxes[ALL_MAIL], raw, mail.flags, date, mail.key)
        return mail

    def _put(self, box: Box, raw: bytes, flags: frozenset[str], date: datetime, key: int, gap: int = 0) -> Mail | None:
        uid = min(box.uidnext + gap, LAST_UID - 1) if gap else box.uidnext
        if uid >= LAST_UID or uid < box.uidnext:
            return None
        box.modseq += 1
        box.uidnext = uid + 1
        box.mails[uid] = Mail(uid, raw, flags, date, key, box.modseq)
        return box.mails[uid]

    def flag(self, box: Box, uid: int, flags: frozenset[str]) -> None:
        """Set a message's flags (on Gmail of its copies too: they are one message)."""
        places = [(box, box.mails[uid])]
        if self.gmail:
            key = box.mails[uid].key
            places = [(b, m) for b in self.boxes.values() for m in b.mails.values() if m.key == key]
        for where, mail in places:
            if mail.flags != flags:
                where.modseq += 1
                mail.flags, mail.modseq = flags, where.modseq

    def expunge(self, box: Box, uids: Iterable[int]) -> None:
        for uid in list(uids):
            if box.mails.pop(uid, None) is not None:
                box.modseq += 1
                box.expunged.append((box.modseq, uid))

    def copy(self, box: Box, uid: int, to: Box) -> Mail | None:
        mail = box.mails[uid]
        if self.gmail and any(m.key == mail.key for m in to.mails.values()):
            return None
        return self._put(to, mail.raw, mail.flags, mail.date, mail.key)

    def move(self, box: Box, uid: int, to: Box) -> Mail | None:
        if box is to:
            return None
        made = self.copy(box, uid, to)
        if made is not None or self.gmail:
            self.expunge(box, [uid])
        return made

    def labels(self, mail: Mail, box: Box) -> list[str]:
        """Return Gmail's labels of a message: the other folders that have it."""
        return sorted(
            "\\Inbox" if b.name == "INBOX" else b.name
            for b in self.boxes.values()
            if b is not box and b.name != ALL_MAIL and any(m.key == mail.key for m in b.mails.values())
        )
