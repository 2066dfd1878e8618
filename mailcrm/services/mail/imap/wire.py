"""IMAPClient with the holes of sync.md A9 and security.md F12/F13 mended, and nothing else.

What is mended: imaplib's debugging is off (every literal was `repr()`-ed); fetches take ranges; the TLS context is
shared; connections go to vetted addresses and have time-outs; every string sent is refused when it holds CR, LF or
NUL; a literal is read in pieces, so that a server's claim of 3 GB allocates nothing before the bytes arrive; one
command's answer is bounded. Untrusted servers may raise anything here; `client.py` translates.

Uses private names of IMAPClient and imaplib: `requirements.txt` pins them and `tests/…/test_wire.py` holds them.
"""

# IMAPClient has no types of its own; what leaves this module is annotated.
# pyright: reportMissingTypeStubs=false, reportUnknownMemberType=false, reportUnknownVariableType=false
# pyright: reportUnknownArgumentType=false, reportPrivateUsage=false

from __future__ import annotations

import base64
import imaplib
import re
import socket
import ssl
import sys
import threading
import time
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import imapclient
from imapclient import tls as _tls
from imapclient.exceptions import ProtocolError
from imapclient.imap4 import IMAP4WithTimeout
from imapclient.response_parser import parse_fetch_response

from mailcrm.errors import TransientError, UserError
from mailcrm.services.mail.imap import answers, names, sasl, uidset, watchdog
from mailcrm.services.mail.providers import hosts
from mailcrm.services.mail.providers.tls import shared_context
from mailcrm.services.mail.providers.values import ServerSpec

CONNECT_S = 15.0  # sync.md A9 #12: the default is no time-out at all
READ_S = 90.0  # slow servers sort large folders before they answer
SIGN_IN_S = 120.0
COMMAND_S = 15 * 60.0  # as long as a pass may write nothing (sync/lease.py); an answer is some 8 MB at most
MAX_LINE = 20_000_000  # sync.md A9 #14: a SEARCH answer with 111,000 UIDs passes imaplib's 1,000,000
MAX_LITERAL = 110_000_000  # the largest message that is stored (100 MB, sync.md A5) with some room
MAX_ANSWER = 400_000_000  # bytes of one command's answer: far above the batches that are asked for
MAX_ITEMS = 200_000  # untagged lines in one command's answer (a listing asks for 50,000 at most)
BUFFER = 256 * 1024  # bytes read ahead from the socket
_PIECE = 1 << 20  # bytes read at once from a literal

_FETCHED = re.compile(rb"\* (\d+) FETCH ([^\r\n]*)\r\n")
_LITERAL = re.compile(rb"\{(\d+)\}$")
_UNSAFE = re.compile(r"[\r\n\0]")
_UNSAFE_BYTES = re.compile(rb"[\r\n\0]")

imaplib._MAXLINE = MAX_LINE  # type: ignore[attr-defined]  # the module's only knob


@dataclass(frozen=True, slots=True)
class Limits:
    """Seconds that a TCP connection may take, that one read may take, and that connecting and signing in may in all.

    The last two see servers that drip one byte at a time: `command` is for each single answer (watchdog.py).
    """

    connect: float = CONNECT_S
    read: float = READ_S
    sign_in: float = SIGN_IN_S
    command: float = COMMAND_S


def refuse_control(field: str, value: str | bytes) -> None:
    """Raise UserError `server.bad_text` when `value` could end a protocol line (F12)."""
    unsafe = _UNSAFE_BYTES.search(value) if isinstance(value, bytes) else _UNSAFE.search(value)
    if unsafe:
        raise UserError("server.bad_text", field=field)


class _Guarded:
    """Mixin for imaplib's IMAP4: checks what is sent and bounds what is read."""

    _seen_bytes = 0
    _seen_items = 0
    _unread = b""  # a line that was looked at and is imaplib's to read
    ahead: dict[str, str] | None = (
        None  # tags of fetches whose answers nobody has read, by their sets (Wire.fetch_bodies)
    )
    _greeted = False
    busy_since: float | None = None  # when the command began whose answer is waited for

    def open(self, *args: Any, **kwargs: Any) -> None:
        super().open(*args, **kwargs)  # type: ignore[misc]
        self.widen()

    def widen(self) -> None:
        """Read in large pieces: each read gives the interpreter away, and a busy thread keeps it for 5 ms."""
        if sys.version_info < (3, 14):  # from there on `file` can't be set
            self.file = self.sock.makefile("rb", BUFFER)  # type: ignore[attr-defined]

    def _get_capabilities(self) -> None:
        """Believe the greeting's own list where it brings one (RFC 3501 §7.1), else ask; after STARTTLS neither.

        What was said in clear is not to be believed, and what is offered before sign-in is hardly used.
        """
        told = self.untagged_responses.pop("CAPABILITY", None)  # type: ignore[attr-defined]
        if self._greeted:
            return
        self._greeted = True
        if told:
            self.capabilities = tuple(str(told[-1], "ascii", "replace").upper().split())
        else:
            super()._get_capabilities()  # type: ignore[misc]

    def _command(self, name: str, *args: Any) -> Any:
        for arg in args:
            if isinstance(arg, (str, bytes)):
                refuse_control(name, arg)
        unread, self.ahead = self.ahead, None
        for tag in (unread or {}).values():  # nobody wants their answers any more
            self._command_complete("UID", tag)  # type: ignore[attr-defined]
            self.untagged_responses.pop("FETCH", None)  # type: ignore[attr-defined]
        self._seen_bytes = self._seen_items = 0
        self.busy_since = time.monotonic()
        try:
            return super()._command(name, *args)  # type: ignore[misc]
        finally:
            self.busy_since = None

    def _command_complete(self, name: str, tag: Any) -> Any:
        self.busy_since = time.monotonic()
        try:
            return super()._command_complete(name, tag)  # type: ignore[misc]
        finally:
            self.busy_since = None

    def _append_untagged(self, typ: str, dat: Any) -> None:
        self._seen_items += 1
        if self._seen_items > MAX_ITEMS:
            raise imaplib.IMAP4.abort("answer with too many lines")
        super()._append_untagged(typ, dat)  # type: ignore[misc]

    def _count(self, size: int) -> None:
        self._seen_bytes += size
        if self._seen_bytes > MAX_ANSWER:
            raise imaplib.IMAP4.abort("answer too long")

    def _get_response(self) -> Any:
        """Collect a FETCH answer as imaplib does, in a third of its time: a first sync reads two for each message."""
        line = self.readline()
        fetched = _FETCHED.fullmatch(line)
        if fetched is None:
            self._unread = line
            return super()._get_response()  # type: ignore[misc]
        said = fetched[1] + b" " + fetched[2]
        while said.endswith(b"}") and (literal := _LITERAL.search(said)):
            self._append_untagged("FETCH", (said, self.read(int(literal[1]))))
            line = self.readline()
            if not line.endswith(b"\r\n"):
                raise imaplib.IMAP4.abort("EOF after a literal")
            said = line[:-2]
        self._append_untagged("FETCH", said)
        return said

    def readline(self) -> bytes:
        if self._unread:
            unread, self._unread = self._unread, b""
            return unread
        line: bytes = super().readline()  # type: ignore[misc]
        self._count(len(line))
        return line

    def read(self, size: int) -> bytes:
        if size > MAX_LITERAL:
            raise imaplib.IMAP4.abort(f"literal of {size} bytes")
        self._count(size)
        if size <= _PIECE:
            data: bytes = self.file.read(size)  # type: ignore[attr-defined]
            if len(data) < size:
                raise imaplib.IMAP4.abort("EOF in a literal")
            return data
        pieces: list[bytes] = []
        left = size
        while left:
            piece: bytes = self.file.read(min(left, _PIECE))  # type: ignore[attr-defined]
            if not piece:
                raise imaplib.IMAP4.abort("EOF in a literal")
            pieces.append(piece)
            left -= len(piece)
        return b"".join(pieces)


class _Plain(_Guarded, IMAP4WithTimeout):
    def __init__(self, host: str, port: int, opener: Any) -> None:
        self._opener = opener
        super().__init__(host, port, None)

    def _create_socket(self, timeout: float | None = None) -> socket.socket:  # noqa: ARG002  # imaplib's signature
        return self._opener()


class _Tls(_Guarded, _tls.IMAP4_TLS):
    def __init__(self, host: str, port: int, opener: Any) -> None:
        self._opener = opener
        super().__init__(host, port, None, None)

    def _create_socket(self, timeout: float | None = None) -> socket.socket:  # noqa: ARG002  # imaplib's signature
        return self._opener()


class Wire(imapclient.IMAPClient):
    """One IMAP connection; used by one thread only (A9 #11)."""

    def __init__(
        self,
        spec: ServerSpec,
        *,
        allow_private: bool,
        limits: Limits,
        context: ssl.SSLContext | None = None,
        opener: Callable[[], socket.socket] | None = None,
    ) -> None:
        """Only keeps the arguments; `greet` connects, so that a deadline can hold over it."""
        self._spec = spec
        self._allow_private = allow_private
        self._limits = limits
        self._context = context or (shared_context() if spec.security != "none" else None)
        self._opener = opener or self._dial
        self._hung_up = False
        self._early: dict[int, bytes] = {}  # what came already of what was asked for ahead
        self.raw_socket: socket.socket | None = None
        #: What ENABLE was asked for, and what the server confirmed (RFC 5161).
        self.asked: set[str] = set()
        self.enabled: set[str] = set()
        #: Words that this server refused once.
        self.plain_list = self.plain_examine = self.plain_select = False

    def greet(self) -> None:
        """Connect and read the greeting; for STARTTLS also upgrade. Nobody is signed in yet."""
        super().__init__(
            self._spec.host,
            port=self._spec.port,
            ssl=self._spec.security == "ssl",
            ssl_context=self._context,
            timeout=imapclient.SocketTimeout(self._limits.connect, self._limits.read),  # type: ignore[arg-type]
        )
        self._imap.debug = 0
        watchdog.watch(self)
        self.normalise_times = False  # A9 #20
        if self._imap.state != "NONAUTH":  # PREAUTH: whoever answers wants to skip TLS and sign-in (F14)
            raise ProtocolError("PREAUTH greeting")
        if self._spec.security == "starttls":
            self.starttls(self._context)

    def _create_IMAP4(self) -> Any:  # noqa: N802  # IMAPClient's name
        return (_Tls if self.ssl else _Plain)(self.host, self.port, self._open)

    def _dial(self) -> socket.socket:
        return hosts.open_socket(
            self._spec.host,
            self._spec.port,
            allow_private=self._allow_private,
            loopback_only=self._spec.security == "none",
            timeout=self._limits.connect,
        )

    def _open(self) -> socket.socket:
        sock = self._opener()
        self._keep(sock)
        if self.ssl:
            # The handshake must not wait for the wrapping: hang_up needs the socket to interrupt it.
            assert self._context is not None
            wrapped = self._context.wrap_socket(sock, server_hostname=self._spec.host, do_handshake_on_connect=False)
            self._keep(wrapped)
            wrapped.do_handshake()
            return wrapped
        return sock

    def _keep(self, sock: socket.socket) -> None:
        self.raw_socket = sock
        if self._hung_up:  # the deadline passed while the name was resolved
            sock.close()
            raise TimeoutError("timed out")

    def starttls(self, ssl_context: ssl.SSLContext | None = None) -> Any:
        answer = super().starttls(ssl_context)
        self.raw_socket = self._imap.sock
        self._imap.widen()  # STARTTLS made a new file
        self._cached_capabilities = None
        return answer

    def authenticate(self, mechanism: str, exchange: sasl.Exchange, *, at_once: bool) -> None:
        """AUTHENTICATE (RFC 3501 §6.2.2), the first line with the command where `at_once` (SASL-IR)."""
        imap: Any = self._imap
        first = [base64.b64encode(exchange.begun().encode()).decode()] if at_once else []
        imap.literal = imaplib._Authenticator(exchange.answer).process  # type: ignore[attr-defined]
        try:
            typ, said = imap._simple_command("AUTHENTICATE", mechanism, *first)
        finally:
            imap.literal = None
        if typ != "OK":
            raise imap.error(str(said[-1], "utf-8", "replace") if said and said[-1] else "refused")
        imap.state = "AUTH"

    def raw_name(self, name: str) -> bytes:
        """Return the bytes that this server knows a folder by."""
        return names.encode(name, utf8="UTF8=ACCEPT" in self.enabled)

    def _normalise_folder(self, folder_name: str | bytes) -> bytes:
        raw = self.raw_name(folder_name) if isinstance(folder_name, str) else folder_name
        return b'"' + raw.replace(b"\\", b"\\\\").replace(b'"', b'\\"') + b'"'

    @property
    def busy_since(self) -> float | None:
        """Since when a command waits for its answer; None when none does, or when the socket was taken over."""
        return getattr(self.__dict__.get("_imap"), "busy_since", None)

    @property
    def busy_most(self) -> float:
        """Seconds that one command may take."""
        limits = self.__dict__.get("_limits")
        return limits.command if limits is not None else COMMAND_S

    def hang_up(self) -> None:
        """Close the socket without another word; for connections whose state is not known. From any thread."""
        self._hung_up = True
        sock, self.raw_socket = self.raw_socket, None
        if sock is None:
            return
        try:
            socket.socket.shutdown(sock, socket.SHUT_RDWR)
        except (OSError, ValueError):
            pass
        sock.close()

    def fetch_set(self, sequence_set: str, items: Sequence[str], modifiers: str = "") -> dict[int, dict[bytes, Any]]:
        """UID FETCH a sequence set as it is written; the answer is keyed by UID.

        Answers for messages that were not asked for (unsolicited flags) are in the result too.
        Raises ProtocolError when any one item can't be parsed: the whole answer is lost then (A9 #6).
        """
        data = self._fetch_data(sequence_set, items, modifiers)
        return dict(parse_fetch_response(data, self.normalise_times, True)) if data else {}

    def fetch_bodies(self, sequence_set: str, following: Sequence[str] = ()) -> dict[int, bytes]:
        """UID FETCH whole messages without marking them read; those that come back without a body are left out.

        `following` are the sets that are fetched next: they are asked for before this answer is read (RFC 3501 §5.5),
        so that no round trip lies between. Should something else be asked next, their answers are dropped first.
        Dovecot works at several commands at once: bodies of later answers that come early are kept for them.
        """
        imap: Any = self._imap
        tags, imap.ahead = imap.ahead or {}, None
        early, self._early = self._early, {}
        if next(iter(tags), "") != sequence_set:
            tags, early, imap.ahead = {}, {}, tags
        for each in (sequence_set, *following):
            if each not in tags:
                tags[each] = self._ask_bodies(each)
        tag, imap.ahead = tags.pop(sequence_set), tags
        typ, said = self._imap._command_complete("UID", tag)
        typ, data = self._imap._untagged_response(typ, said, "FETCH")
        self._checkok("fetch", typ, data)
        found = early | _bodies([] if data == [None] else data, self.normalise_times)
        if tags:
            theirs = {uid for each in tags for uid in uidset.parse(each)} - set(uidset.parse(sequence_set))
            self._early = {uid: found.pop(uid) for uid in theirs if uid in found}
        return found

    def _ask_bodies(self, sequence_set: str) -> str:
        tag: str = self._imap._command("UID", "FETCH", sequence_set, "(BODY.PEEK[])")
        return tag

    def fetch_metas(self, sequence_set: str) -> dict[int, tuple[Any, Any, Any, str | None, Any]]:
        """UID FETCH (FLAGS, INTERNALDATE, RFC822.SIZE, the server's own id, Gmail's labels); None for what is not said.

        An answer that can't be read is left out: its message stays pending.
        """
        wanted = ["FLAGS", "INTERNALDATE", "RFC822.SIZE"]
        if self.has_capability("X-GM-EXT-1"):
            wanted += ["X-GM-MSGID", "X-GM-LABELS"]
        elif self.has_capability("OBJECTID"):
            wanted += ["EMAILID"]
        data = self._fetch_data(sequence_set, wanted)
        fast = answers.metas(data)
        if fast is not None:
            return {
                uid: (flags, when, size, f"emailid:{named}" if named else None, None)
                for uid, (flags, when, size, named) in fast.items()
            }
        return {
            uid: (
                item.get(b"FLAGS"),
                item.get(b"INTERNALDATE"),
                answers.size_of(item.get(b"RFC822.SIZE")),
                answers.identity(item),
                item.get(b"X-GM-LABELS"),
            )
            for uid, item in answers.items(data).items()
        }

    def _fetch_data(self, sequence_set: str, items: Sequence[str], modifiers: str = "") -> list[Any]:
        self._imap.untagged_responses.pop("FETCH", None)
        tail = f" ({modifiers})" if modifiers else ""
        typ, data = self._imap.uid("FETCH", sequence_set, f"({' '.join(items)}){tail}")
        self._checkok("fetch", typ, data)
        return [] if data == [None] else data

    def search_raw(self, criteria: str) -> list[int]:
        """UID SEARCH with criteria as they are written (already quoted); UIDs in the server's order.

        Raises ProtocolError when the answer is not a list of numbers: never an empty list instead.
        """
        self._imap.untagged_responses.pop("SEARCH", None)
        typ, data = self._imap.uid("SEARCH", criteria)
        self._checkok("search", typ, data)
        uids: list[int] = []
        for line in data:
            for token in (line or b"").split():
                if not token.isdigit():
                    if token.startswith(b"("):  # RFC 7162: (MODSEQ n) ends the answer
                        break
                    raise ProtocolError(f"SEARCH answered {token[:40]!r}")
                uids.append(int(token))
        return uids

    @contextmanager
    def deadline(self, seconds: float) -> Generator[None]:
        """Hang up when the block takes longer than `seconds` in all: a time-out per read doesn't see slow drips.

        Whatever the block then fails with leaves as TransientError `server.timeout`.
        """
        passed = threading.Event()

        def end() -> None:
            passed.set()
            self.hang_up()

        timer = threading.Timer(seconds, end)
        timer.daemon = True
        timer.start()
        try:
            yield
        except Exception as exc:
            if passed.is_set():
                raise TransientError("server.timeout", host=self._spec.host, port=self._spec.port) from exc
            raise
        finally:
            timer.cancel()


def _bodies(data: list[Any], normalise_times: bool) -> dict[int, bytes]:
    fast = answers.bodies(data)
    if fast is not None:
        return fast
    slow = parse_fetch_response(data, normalise_times, True)
    found = ((uid, item.get(b"BODY[]")) for uid, item in slow.items())
    return {uid: body for uid, body in found if isinstance(body, bytes)}


def quoted(value: str) -> str:
    """Return `value` as an IMAP quoted string. Raises UserError when it can't be one (control characters)."""
    refuse_control("text", value)
    return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'
