"""One IMAP session, sans I/O: bytes of the client in, bytes of the server out. State drawing of RFC 3501 §3.

    greeting ─▶ not signed in ──LOGIN──▶ signed in ◀──SELECT, EXAMINE / CLOSE, UNSELECT──▶ selected ──▶ LOGOUT, BYE

Keeps its own view of the selected folder (sequence numbers), as a server must: what other programs do is told by
untagged EXPUNGE (or VANISHED), EXISTS and FETCH at the end of commands that allow it. A folder that is deleted, or gets
another UIDVALIDITY, ends the sessions that have it selected. Checked against Dovecot by `tests/…/test_fake_imap.py`.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Callable, Iterable
from datetime import UTC, datetime

from tests.fakes.imap import items
from tests.fakes.imap.account import EPOCH, Account, Box, Mail
from tests.fakes.imap.grammar import Bad, Literal, Token, members, name_in, name_out, ranges, tokens

_LITERAL = re.compile(rb"\{(\d+)(\+?)\}$")
_NO_EXPUNGE = ("FETCH", "STORE", "SEARCH")  # RFC 3501 §7.4.1


class No(Exception):
    """A command that is refused: its text follows the tag."""


class Session:
    """`feed` bytes, send what it returns; `closed` once the server hung up."""

    def __init__(self, account: Account) -> None:
        self.account = account
        self.closed = False
        self.box: Box | None = None
        self.readonly = True
        self._signed_in = False
        self._view: list[int] = []
        self._told: dict[int, frozenset[str]] = {}
        self._held: dict[int, Mail] = {}
        self._enabled: set[str] = set()
        self._buffer = b""
        self._literals: list[bytes] = []
        self._missing: int | None = None
        self._code = b""  # the response code of the tagged answer
        self._command = b""
        self._idle: bytes | None = None
        self._plain: bytes | None = None

    # What goes over the wire

    def greeting(self) -> bytes:
        return b"* OK [CAPABILITY " + self._capabilities() + b"] ready.\r\n"

    def _capabilities(self) -> bytes:
        base = ["IMAP4rev1", "SASL-IR", "LITERAL+", "AUTH=PLAIN"] if not self._signed_in else ["IMAP4rev1", "LITERAL+"]
        return " ".join(base + (sorted(self.account.quirks.offers) if self._signed_in else [])).encode()

    def feed(self, data: bytes) -> bytes:
        self._buffer += data
        out = b""
        while not self.closed:
            if self._missing is not None:
                if len(self._buffer) < self._missing:
                    break
                self._literals.append(self._buffer[: self._missing])
                self._buffer, self._missing = self._buffer[self._missing :], None
            line, found, rest = self._buffer.partition(b"\r\n")
            if not found:
                break
            self._buffer = rest
            literal = _LITERAL.search(line) if self._idle is None and self._plain is None else None
            if literal:
                self._command += line
                self._missing = int(literal[1])
                out += b"" if literal[2] else b"+ OK\r\n"
                continue
            command, self._command = self._command + line, b""
            out += self._run(command)
        return out

    def _run(self, line: bytes) -> bytes:
        if self._idle is not None:
            tag, self._idle = self._idle, None
            return self._news(expunge=True) + tag + b" OK Idle completed.\r\n"
        if self._plain is not None:
            tag, self._plain = self._plain, None
            self._signed_in = True
            return tag + b" OK [CAPABILITY " + self._capabilities() + b"] Logged in\r\n"
        literals, self._literals = self._literals, []
        tag, _, rest = line.partition(b" ")
        if self.box is not None and not self.box.alive:
            return self._bye("Mailbox was changed under us, please relogin.")
        try:
            words = tokens(rest, literals)
            name = bytes(words.pop(0)).decode("ascii", "replace").upper() if words else ""
            by_uid = name == "UID"
            if by_uid:
                name = bytes(words.pop(0)).decode("ascii", "replace").upper()
            handler: Callable[..., bytes] | None = getattr(self, f"_do_{name.lower()}", None)
            if handler is None:
                raise Bad(f"Unknown command {name}")
            shown = rest.decode("latin-1")
            self.account.log.append(shown)
            self.account.before_command(shown)
            if self.box is not None and not self.box.alive:
                return self._bye("Mailbox was changed under us, please relogin.")
            early = b""
            if self.account.quirks.tells_at_once and self.box is not None and name not in ("SELECT", "EXAMINE"):
                early = self._news(expunge=self._tells_expunge(name, by_uid))
            untagged = (
                handler(words, by_uid)
                if name in ("FETCH", "STORE", "SEARCH", "COPY", "MOVE", "EXPUNGE")
                else (handler(words))
            )
        except Bad as error:
            return tag + f" BAD {error}.\r\n".encode()
        except No as error:
            return tag + f" NO {error}\r\n".encode()
        if name == "IDLE":
            self._idle = tag
            return b"+ idling\r\n"
        if name == "AUTHENTICATE" and untagged == b"+":
            self._plain = tag
            return b"+ \r\n"
        done, self._code = self._code, b""
        late = b"" if name in ("SELECT", "EXAMINE", "LOGOUT") else self._news(expunge=self._tells_expunge(name, by_uid))
        return early + untagged + late + tag + b" OK " + done + name.capitalize().encode() + b" completed.\r\n"

    def _tells_expunge(self, name: str, by_uid: bool) -> bool:
        """RFC 3501 forbids it for some commands without UID; Dovecot also keeps it back in UID SEARCH."""
        return name not in _NO_EXPUNGE or (by_uid and name != "SEARCH")

    def _bye(self, text: str) -> bytes:
        self.closed = True
        return b"* BYE " + text.encode() + b"\r\n"

    def push(self) -> bytes:
        """Return what an idling client is told now."""
        return self._news(expunge=True) if self._idle is not None else b""

    # The view of the selected folder

    def _mail(self, uid: int) -> Mail | None:
        """Return a message of the view: also one that is expunged, to who was not told yet (as Dovecot does)."""
        assert self.box is not None
        found = self.box.mails.get(uid)
        return found if found is not None or not self.account.quirks.ghosts else self._held.get(uid)

    def _news(self, *, expunge: bool) -> bytes:
        """Tell what other programs did, as far as it may be told now."""
        box = self.box
        if box is None or not box.alive:
            return b""
        out = b""
        gone = [uid for uid in self._view if uid not in box.mails]
        if expunge and gone:
            if "QRESYNC" in self._enabled:
                out += b"* VANISHED " + ranges(gone) + b"\r\n"
                self._view = [uid for uid in self._view if uid in box.mails]
            else:
                for uid in gone:
                    out += b"* %d EXPUNGE\r\n" % (self._view.index(uid) + 1)
                    self._view.remove(uid)
        last = self._view[-1] if self._view else 0
        new = [uid for uid in box.uids() if uid > last and uid not in self._told]
        if new:
            self._view += new
            self._held.update((uid, box.mails[uid]) for uid in new)
            out += b"* %d EXISTS\r\n* 0 RECENT\r\n" % len(self._view)
        for n, uid in enumerate(self._view, 1):
            mail = self._mail(uid)
            if mail is None:
                continue
            if uid not in self._told:
                self._told[uid] = mail.flags
            elif self._told[uid] != mail.flags:
                self._told[uid] = mail.flags
                wanted: list[Token] = [b"FLAGS"]
                if "QRESYNC" in self._enabled:
                    out += items.one(self.account, box, mail, n, wanted, modseq=True)
                else:
                    modseq = b" MODSEQ (%d)" % mail.modseq if "CONDSTORE" in self._enabled else b""
                    out += b"* %d FETCH (%s%s)\r\n" % (n, items.flag_list(mail), modseq)
        return out

    def _need_box(self) -> Box:
        if self.box is None:
            raise Bad("No mailbox selected")
        return self.box

    def _chosen(self, text: Token, by_uid: bool) -> list[tuple[int, Mail]]:
        """Return (sequence number, message) of a set, as far as the messages are still there."""
        self._need_box()
        last = (self._view[-1] if self._view else 0) if by_uid else len(self._view)
        parts = members(bytes(text), last)
        out: list[tuple[int, Mail]] = []
        for n, uid in enumerate(self._view, 1):
            number = uid if by_uid else n
            mail = self._mail(uid)
            if mail is not None and any(lo <= number <= hi for lo, hi in parts):
                out.append((n, mail))
        return out

    # Commands in any state

    def _do_capability(self, words: list[Token]) -> bytes:
        return b"* CAPABILITY " + self._capabilities() + b"\r\n"

    def _do_noop(self, words: list[Token]) -> bytes:
        return b""

    _do_check = _do_noop

    def _do_id(self, words: list[Token]) -> bytes:
        return b'* ID ("name" "fake")\r\n'

    def _do_logout(self, words: list[Token]) -> bytes:
        self.closed = True
        return b"* BYE Logging out\r\n"

    def _do_login(self, words: list[Token]) -> bytes:
        self._signed_in = True
        self._code = b"[CAPABILITY " + self._capabilities() + b"] "
        return b""

    def _do_authenticate(self, words: list[Token]) -> bytes:
        if len(words) > 1:
            base64.b64decode(bytes(words[1]))
            return self._do_login([])
        return b"+"

    def _do_enable(self, words: list[Token]) -> bytes:
        known = [w.decode().upper() for w in words if self.account.quirks.has(w.decode().upper())]
        self._enabled.update(known)
        if "QRESYNC" in known:
            self._enabled.add("CONDSTORE")
        return b"* ENABLED" + "".join(f" {name}" for name in known).encode() + b"\r\n"

    def _do_namespace(self, words: list[Token]) -> bytes:
        return b'* NAMESPACE (("" "%s")) NIL NIL\r\n' % self.account.quirks.delimiter.encode()

    # Folders

    @property
    def _utf8(self) -> bool:
        return "UTF8=ACCEPT" in self._enabled

    def _name(self, name: str) -> bytes:
        return name_out(name, utf8=self._utf8, quoted=self.account.quirks.quoted_names)

    def _find(self, word: Token) -> Box:
        box = self.account.boxes.get(name_in(bytes(word), utf8=self._utf8))
        if box is None:
            raise No("[NONEXISTENT] Mailbox doesn't exist")
        if not box.selectable:
            raise No("[CANNOT] Mailbox is not selectable")
        return box

    def _do_list(self, words: list[Token]) -> bytes:
        options = [bytes(w).upper() for w in words.pop(0)] if isinstance(words[0], list) else []
        asked: list[Token] = []
        if b"RETURN" in [bytes(w).upper() for w in words if isinstance(w, bytes)]:
            asked = words[-1]
        if bytes(words[1]) == b"" and not isinstance(words[1], list):
            return b'* LIST (\\Noselect) "%s" ""\r\n' % self.account.quirks.delimiter.encode()
        status: list[Token] = []
        for n, word in enumerate(asked):
            if isinstance(word, bytes) and word.upper() == b"STATUS":
                status = asked[n + 1]
        special = self.account.quirks.has("SPECIAL-USE") or b"SPECIAL-USE" in options
        out = b""
        hidden = self.account.lie("list_omits")
        shown = sorted(self.account.boxes.values(), key=lambda b: b.number)
        for n, box in enumerate(shown):
            if hidden is not None and n == hidden % len(shown) and box.name != "INBOX":
                continue
            attributes = ["\\HasNoChildren"]
            if not box.selectable:
                attributes.append("\\Noselect")
            if special:
                attributes += box.attributes
            out += b'* LIST (%s) "%s" %s\r\n' % (
                " ".join(attributes).encode(), self.account.quirks.delimiter.encode(), self._name(box.name),
            )  # fmt: skip
            if status and box.selectable:
                out += self._status_line(box, status)
        return out

    def _do_lsub(self, words: list[Token]) -> bytes:
        return self._do_list(words).replace(b"* LIST", b"* LSUB")

    def _status_line(self, box: Box, wanted: Iterable[Token]) -> bytes:
        exists = len(box.mails)
        lie = self.account.lie("status_off")
        if lie is not None:
            exists = max(exists + lie, 0)
        parts: list[bytes] = []
        for word in wanted:
            name = bytes(word).upper()
            if name == b"MESSAGES":
                parts.append(b"MESSAGES %d" % exists)
            elif name == b"UIDNEXT":
                if self.account.quirks.uidnext:
                    parts.append(b"UIDNEXT %d" % box.uidnext)
            elif name == b"UIDVALIDITY":
                parts.append(b"UIDVALIDITY %d" % box.uidvalidity)
            elif name == b"UNSEEN":
                parts.append(b"UNSEEN %d" % sum("\\Seen" not in m.flags for m in box.mails.values()))
            elif name == b"RECENT":
                parts.append(b"RECENT 0")
            elif name == b"HIGHESTMODSEQ":
                parts.append(b"HIGHESTMODSEQ %d" % (box.modseq if self._modseqs(box) else 0))
            elif name == b"MAILBOXID" and self.account.quirks.has("OBJECTID"):
                parts.append(b"MAILBOXID (F%d)" % box.number)
            elif name == b"SIZE":
                parts.append(b"SIZE %d" % sum(len(m.raw) for m in box.mails.values()))
            else:
                raise Bad(f"unknown STATUS item {name!r}")
        return b"* STATUS " + self._name(box.name) + b" (" + b" ".join(parts) + b")\r\n"

    def _do_status(self, words: list[Token]) -> bytes:
        box = self._find(words[0])
        if any(bytes(w).upper() == b"HIGHESTMODSEQ" for w in words[1]):
            self._enabled.add("CONDSTORE")  # RFC 7162 §3.1
        return self._status_line(box, words[1])

    def _modseqs(self, box: Box) -> bool:
        quirks = self.account.quirks
        return (quirks.has("CONDSTORE") or quirks.has("QRESYNC")) and box.name not in quirks.nomodseq

    def _do_select(self, words: list[Token], *, readonly: bool = False) -> bytes:
        out = b"* OK [CLOSED] Previous mailbox closed.\r\n" if self.box is not None else b""
        self.box = None
        box = self._find(words[0])
        self.box, self.readonly = box, readonly
        self._view = box.uids()
        self._told = {uid: mail.flags for uid, mail in box.mails.items()}
        self._held = dict(box.mails)
        exists = len(self._view)
        lie = self.account.lie("exists_off")
        if lie is not None:
            exists = max(exists + lie, 0)
        flags = rb"\Answered \Flagged \Deleted \Seen \Draft"
        permanent = b"" if readonly else flags + rb" \*"
        out += b"* FLAGS (%s)\r\n* OK [PERMANENTFLAGS (%s)] Flags.\r\n" % (flags, permanent)
        out += b"* %d EXISTS\r\n* 0 RECENT\r\n" % exists
        unseen = [n for n, uid in enumerate(self._view, 1) if "\\Seen" not in box.mails[uid].flags]
        if unseen:
            out += b"* OK [UNSEEN %d] First unseen.\r\n" % unseen[0]
        out += b"* OK [UIDVALIDITY %d] UIDs valid\r\n" % box.uidvalidity
        if self.account.quirks.uidnext:
            out += b"* OK [UIDNEXT %d] Predicted next UID\r\n" % box.uidnext
        if self._modseqs(box):
            out += b"* OK [HIGHESTMODSEQ %d] Highest\r\n" % box.modseq
        elif self.account.quirks.has("CONDSTORE"):
            out += b"* OK [NOMODSEQ] No permanent mod-sequences\r\n"
        if self.account.quirks.has("OBJECTID"):
            out += b"* OK [MAILBOXID (F%d)] Ok\r\n" % box.number
        if len(words) > 1:
            out += self._select_options(box, words[1])
        self._code = b"[READ-ONLY] " if readonly else b"[READ-WRITE] "
        return out

    def _select_options(self, box: Box, options: list[Token]) -> bytes:
        names = [bytes(w).upper() if isinstance(w, bytes) else b"" for w in options]
        if b"CONDSTORE" in names:
            self._enabled.add("CONDSTORE")
        if b"QRESYNC" not in names:
            return b""
        if "QRESYNC" not in self._enabled:
            raise Bad("QRESYNC is not enabled")
        arguments = options[names.index(b"QRESYNC") + 1]
        if int(arguments[0]) != box.uidvalidity or not self._modseqs(box):
            return b""
        known = arguments[2] if len(arguments) > 2 and not isinstance(arguments[2], list) else b"1:*"
        return self._changes(box, int(arguments[1]), members(bytes(known), box.uidnext - 1), [b"FLAGS"], vanished=True)

    def _do_examine(self, words: list[Token]) -> bytes:
        return self._do_select(words, readonly=True)

    def _do_unselect(self, words: list[Token]) -> bytes:
        self._need_box()
        self.box = None
        return b""

    def _do_close(self, words: list[Token]) -> bytes:
        box = self._need_box()
        if not self.readonly:
            self.account.expunge(box, [u for u, m in box.mails.items() if "\\Deleted" in m.flags])
        self.box = None
        return b""

    def _do_create(self, words: list[Token]) -> bytes:
        name = name_in(bytes(words[0]), utf8=self._utf8)
        if name in self.account.boxes:
            raise No("[ALREADYEXISTS] Mailbox already exists")
        self.account.create(name)
        return b""

    def _do_subscribe(self, words: list[Token]) -> bytes:
        return b""

    # Messages

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
