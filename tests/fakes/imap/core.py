"""One IMAP connection, sans I/O: bytes of the client in, bytes of the server out, and the view of a folder.

A server keeps a view of the selected folder for each session (sequence numbers): what other programs do is told by
untagged EXPUNGE (or VANISHED), EXISTS and FETCH at the end of commands that allow it. A folder that is deleted, or gets
another UIDVALIDITY, ends the sessions that have it selected. The commands are in `folders.py` and `session.py`.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from tests.fakes.imap import items
from tests.fakes.imap.account import Account, Box, Mail
from tests.fakes.imap.grammar import Bad, Token, members, ranges, tokens

_LITERAL = re.compile(rb"\{(\d+)(\+?)\}$")
_NO_EXPUNGE = ("FETCH", "STORE", "SEARCH")  # RFC 3501 §7.4.1


class No(Exception):
    """A command that is refused: its text follows the tag."""


class Core:
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

    def _modseqs(self, box: Box) -> bool:
        quirks = self.account.quirks
        return (quirks.has("CONDSTORE") or quirks.has("QRESYNC")) and box.name not in quirks.nomodseq
