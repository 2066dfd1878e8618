"""The commands of a session that are about the session itself and about folders (RFC 3501 §6.1 to §6.3 and others)."""

from __future__ import annotations

import base64
from collections.abc import Iterable

from tests.fakes.imap.account import Box
from tests.fakes.imap.core import Core, No
from tests.fakes.imap.grammar import Bad, Token, members, name_in, name_out


class FolderCommands(Core):
    """LOGIN to STATUS, SELECT and CLOSE."""

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

    def _changes(
        self, box: Box, since: int, parts: list[tuple[int, int]], wanted: list[Token], *, vanished: bool
    ) -> bytes:
        raise NotImplementedError
