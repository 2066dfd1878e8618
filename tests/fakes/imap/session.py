"""A session of the fake server: the commands about messages, on top of those about folders.

    greeting ─▶ not signed in ──LOGIN──▶ signed in ◀──SELECT, EXAMINE / CLOSE, UNSELECT──▶ selected ──▶ LOGOUT, BYE

Checked against Dovecot by `tests/integration/sync/test_fake_imap.py`. RFC 3501 §6.4, 4315, 4731, 6851, 7162.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime

from tests.fakes.imap import items
from tests.fakes.imap.account import EPOCH, Box
from tests.fakes.imap.core import No
from tests.fakes.imap.folders import FolderCommands
from tests.fakes.imap.grammar import Bad, Literal, Token, members, ranges


class Session(FolderCommands):
    """`feed` bytes, send what it returns; `closed` once the server hung up."""

    def _changes(
        self, box: Box, since: int, parts: list[tuple[int, int]], wanted: list[Token], *, vanished: bool
    ) -> bytes:
        """Return what changed after a modification sequence: VANISHED (EARLIER), then FETCH."""
        out = b""
        if vanished:
            if self.account.quirks.forgets_expunged:
                gone = [u for lo, hi in parts for u in range(lo, min(hi, box.uidnext - 1, lo + 5000) + 1)]
                gone = [u for u in gone if u not in box.mails]
            else:
                gone = [u for at, u in box.expunged if at > since and any(lo <= u <= hi for lo, hi in parts)]
            if gone:
                out += b"* VANISHED (EARLIER) " + ranges(gone) + b"\r\n"
        for n, uid in enumerate(self._view, 1):
            mail = box.mails.get(uid)
            if mail and mail.modseq > since and any(lo <= uid <= hi for lo, hi in parts):
                out += items.one(self.account, box, mail, n, wanted, modseq=True)
                self._told[uid] = mail.flags
        return out

    def _do_fetch(self, words: list[Token], by_uid: bool) -> bytes:
        box = self._need_box()
        wanted: list[Token] = words[1] if isinstance(words[1], list) else [words[1]]
        if len(words) > 2:
            modifiers = [bytes(w).upper() for w in words[2]]
            if not self._modseqs(box):
                raise Bad("CHANGEDSINCE without CONDSTORE")
            self._enabled.add("CONDSTORE")
            since = int(modifiers[modifiers.index(b"CHANGEDSINCE") + 1])
            vanished = b"VANISHED" in modifiers
            if vanished and ("QRESYNC" not in self._enabled or not by_uid):
                raise Bad("VANISHED needs QRESYNC")
            last = self._view[-1] if self._view else 0
            parts = members(bytes(words[0]), last)
            if vanished:  # `*` is open-ended for what vanished
                parts = [
                    (lo, max(hi, box.uidnext - 1)) if bytes(words[0]).endswith(b"*") else (lo, hi) for lo, hi in parts
                ]
            return self._changes(box, since, parts, wanted, vanished=vanished)
        if any(bytes(w).upper() == b"MODSEQ" for w in wanted if isinstance(w, bytes)):
            self._enabled.add("CONDSTORE")
        chosen = self._chosen(words[0], by_uid)
        lie = self.account.lie("fetch_omits")
        if lie is not None and chosen:
            del chosen[lie % len(chosen)]
        out: list[bytes] = []
        for n, mail in chosen:
            out.append(items.one(self.account, box, mail, n, wanted, modseq=False))
            if any(isinstance(w, bytes) and w.upper() == b"FLAGS" for w in wanted):
                self._told[mail.uid] = mail.flags
        if self.account.lie("fetch_twice") is not None and out:
            out.append(out[0])
        return b"".join(out)

    def _do_search(self, words: list[Token], by_uid: bool) -> bytes:
        self._need_box()
        returning: list[bytes] | None = None
        if words and isinstance(words[0], bytes) and words[0].upper() == b"RETURN":
            returning = [bytes(w).upper() for w in words[1]] or [b"ALL"]
            words = words[2:]
        if words and isinstance(words[0], bytes) and words[0].upper() == b"CHARSET":
            words = words[2:]
        assert self.box is not None
        last = (len(self._view), self._view[-1] if self._view else 0)
        found: list[int] = []
        for n, uid in enumerate(self._view, 1):
            mail = self._mail(uid)
            if mail is not None and items.matches(mail, n, words, last):
                found.append(uid if by_uid else n)
        if self.account.lie("search_empty") is not None:
            found = []
        lie = self.account.lie("search_omits")
        if lie is not None and found:
            del found[lie % len(found)]
        if not found and self.account.quirks.echo and last[1] and self._beyond(words, last[1]):
            found = [last[1] if by_uid else last[0]]
        if returning is None:
            return b"* SEARCH" + b"".join(b" %d" % n for n in found) + b"\r\n"
        parts = [b'* ESEARCH (TAG "x")' + (b" UID" if by_uid else b"")]
        if found and b"MIN" in returning:
            parts.append(b"MIN %d" % min(found))
        if found and b"MAX" in returning:
            parts.append(b"MAX %d" % max(found))
        if found and b"ALL" in returning:
            parts.append(b"ALL " + ranges(found))
        if b"COUNT" in returning:
            parts.append(b"COUNT %d" % len(found))
        return b" ".join(parts) + b"\r\n"

    def _beyond(self, words: list[Token], last: int) -> bool:
        """Whether `UID n:m` lies beyond the last message: some servers answer with that one (RFC 3501 §6.4.8)."""
        if len(words) != 2 or isinstance(words[0], list) or bytes(words[0]).upper() != b"UID":
            return False
        return all(lo > last for lo, _ in members(bytes(words[1]), last))

    def _writable(self) -> Box:
        box = self._need_box()
        if self.readonly:
            raise No("[READ-ONLY] Mailbox is read-only")
        return box

    def _do_store(self, words: list[Token], by_uid: bool) -> bytes:
        box = self._writable()
        if isinstance(words[1], list):
            words = [words[0], *words[2:]]
        how = bytes(words[1]).upper()
        given = frozenset(bytes(w).decode() for w in (words[2] if isinstance(words[2], list) else words[2:]))
        out = b""
        for n, mail in self._chosen(words[0], by_uid):
            if mail.uid not in box.mails:
                continue
            new = given if how[:1] == b"F" else mail.flags | given if how[:1] == b"+" else mail.flags - given
            self.account.flag(box, mail.uid, new)
            self._told[mail.uid] = new
            if not how.endswith(b".SILENT"):
                out += items.one(self.account, box, mail, n, [b"FLAGS"], modseq="CONDSTORE" in self._enabled)
        return out

    def _do_copy(self, words: list[Token], by_uid: bool, *, moving: bool = False) -> bytes:
        box = self._writable() if moving else self._need_box()
        try:
            to = self._find(words[1])
        except No as error:
            raise No("[TRYCREATE] Mailbox doesn't exist") from error
        before: list[int] = []
        after: list[int] = []
        for _, mail in self._chosen(words[0], by_uid):
            if mail.uid not in box.mails:
                continue
            made = self.account.move(box, mail.uid, to) if moving else self.account.copy(box, mail.uid, to)
            if made is not None:
                before.append(mail.uid)
                after.append(made.uid)
        code = b"[COPYUID %d %s %s] " % (to.uidvalidity, ranges(before), ranges(after)) if before else b""
        if not self.account.quirks.has("UIDPLUS"):
            code = b""
        if moving:
            return b"* OK " + code + b"Moved.\r\n" if code else b""
        self._code = code
        return b""

    def _do_move(self, words: list[Token], by_uid: bool) -> bytes:
        if not self.account.quirks.has("MOVE"):
            raise Bad("Unknown command MOVE")
        return self._do_copy(words, by_uid, moving=True)

    def _do_expunge(self, words: list[Token], by_uid: bool) -> bytes:
        box = self._writable()
        if by_uid and not self.account.quirks.has("UIDPLUS"):
            raise Bad("Unknown command UID EXPUNGE")
        chosen = self._chosen(words[0], True) if by_uid else self._chosen(b"1:*", False)
        self.account.expunge(box, [m.uid for _, m in chosen if "\\Deleted" in m.flags])
        return b""

    def _do_append(self, words: list[Token]) -> bytes:
        box = self._find(words[0])
        flags = [bytes(w).decode() for w in words[1]] if isinstance(words[1], list) else []
        when = EPOCH
        for word in words[1:-1]:
            if isinstance(word, Literal) and re.match(rb"[ \d]\d-", word):
                when = datetime.strptime(word.decode().strip(), "%d-%b-%Y %H:%M:%S %z").astimezone(UTC)
        made = self.account.deliver(box, bytes(words[-1]), flags, when)
        if made is None:
            raise No("[LIMIT] No UID left")
        if self.account.quirks.has("UIDPLUS"):
            self._code = b"[APPENDUID %d %d] " % (box.uidvalidity, made.uid)
        return b""

    def _do_idle(self, words: list[Token]) -> bytes:
        if not self.account.quirks.has("IDLE"):
            raise Bad("Unknown command IDLE")
        return b""
