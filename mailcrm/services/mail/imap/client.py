r"""A signed-in IMAP connection: the typed calls that mailcrm makes, and no others.

Reading never changes the mailbox: folders are opened with EXAMINE and bodies fetched with BODY.PEEK[], so no `\\Seen`
is ever set. The only command that writes is APPEND (the copy in Sent).

Dead-connection rule: after a time-out, a BYE, an EOF or an answer out of step the connection is of no more use; every
such failure leaves as TransientError and hangs up, and the next call on the object fails at once. One thread only.
RFC 3501, 4315 (UIDPLUS), 5819 (LIST-STATUS), 6154 (special use), 6855 (UTF8=ACCEPT), 7162 (CONDSTORE, QRESYNC),
8474 (OBJECTID); Gmail's X-GM-EXT-1. The commands themselves are in `commands.py` and `wire.py`.
"""

# IMAPClient has no types of its own; what leaves this module is annotated.
# pyright: reportMissingTypeStubs=false, reportUnknownMemberType=false, reportUnknownVariableType=false
# pyright: reportUnknownArgumentType=false, reportPrivateUsage=false

from __future__ import annotations

import imaplib
import re
import socket
import ssl
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from types import TracebackType
from typing import Any, Self

from imapclient.imap_utf7 import encode as encode_utf7

from mailcrm.errors import MailcrmError, NeedsReconnect, TransientError
from mailcrm.services.mail.imap import answers, commands, names, parts, sign_in, uidset
from mailcrm.services.mail.imap.failures import translated
from mailcrm.services.mail.imap.folders import RemoteFolder, with_roles
from mailcrm.services.mail.imap.structure import Section
from mailcrm.services.mail.imap.values import Changes, FolderStatus, RemoteMessage, RemoteMeta, State, Unfetchable
from mailcrm.services.mail.imap.wire import Limits, Wire, quoted, refuse_control
from mailcrm.services.mail.providers.values import AccessToken, Secret, ServerSpec, secret_text

META_BATCH = 2000  # messages in one metadata fetch (sync.md A1: every request is bounded)
STATE_BATCH = 10_000  # messages in one fetch of flags: some 60 bytes each
AHEAD = 3  # fetches of bodies that are asked for before the answer to one is read: with one, each costs a round trip
PIECE = 1024 * 1024  # bytes of a large message or part that are in memory at once
MAX_MESSAGE = 100_000_000  # bytes; larger messages are skipped with a reason (sync.md A5)

_APPENDUID = re.compile(rb"APPENDUID (\d+) (\d+)", re.IGNORECASE)


def encode_folder(name: str) -> str:
    """Return a folder's name in modified UTF-7 (RFC 3501 §5.1.3), as servers keep it."""
    return encode_utf7(name).decode("ascii")


def _utc(value: Any) -> datetime | None:
    if not isinstance(value, datetime):
        return None
    try:
        return (value if value.tzinfo else value.replace(tzinfo=UTC)).astimezone(UTC)
    except (OverflowError, ValueError):
        return None


class ImapConnection:
    """A signed-in connection; use it as a context manager."""

    def __init__(self, wire: Wire, spec: ServerSpec, *, with_token: bool = False) -> None:
        self._wire = wire
        self._spec = spec
        self._with_token = with_token
        self._alive = True
        #: The folder that is open, by name and UIDVALIDITY; None when that is not sure. A new listing makes it unsure.
        self.opened: tuple[str, int] | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, exc: BaseException | None, tb: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Say LOGOUT when the connection still works, then close it. Never raises."""
        if self._alive:
            try:
                with self._wire.deadline(5):
                    self._wire.logout()
            except Exception:  # noqa: S110  # whatever it was, the connection is gone, which is what was wanted
                pass
        self._alive = False
        self._wire.hang_up()

    def deadline(self, seconds: float) -> AbstractContextManager[None]:
        """Hang up when the block takes longer than `seconds` in all."""
        return self._wire.deadline(seconds)

    @property
    def alive(self) -> bool:
        """False once the connection broke; make a new one then."""
        return self._alive

    @contextmanager
    def _call(self, *, folder: str | None = None) -> Generator[None]:
        if not self._alive:
            raise TransientError("server.lost", host=self._spec.host)
        try:
            with translated(self._spec, folder=folder):
                yield
        except MailcrmError as exc:
            if self._with_token and exc.code == "imap.wrong_password":  # Microsoft tells with the first command
                raise NeedsReconnect("oauth.token_refused", host=self._spec.host) from exc
            # A NO or BAD leaves the connection as it was; a BYE, an EOF or an answer out of step is its end.
            if isinstance(exc.__cause__, (imaplib.IMAP4.abort, OSError, EOFError)) or exc.code == "server.protocol":
                self._alive = False
                self._wire.hang_up()
            raise

    def capabilities(self) -> frozenset[str]:
        """Return what the server offers after sign-in, in upper case."""
        with self._call():
            return frozenset(c.decode("ascii", "replace").upper() for c in self._wire.capabilities())

    def list_folders(self) -> list[RemoteFolder]:
        """List every folder with its role, in the server's order."""
        return self.survey(counts=False)[0]

    def survey(self, *, counts: bool = True, just_opened: bool = False) -> tuple[list[RemoteFolder], bool]:
        """List every folder, with its counts where the server tells them in the same answer (LIST-STATUS).

        The second value is False when a line could not be read: nothing may be taken for missing then. The folder
        that is open counts as open afterwards only when it was `just_opened`, and the listing gives its UIDVALIDITY.
        """
        before, self.opened = self.opened, None  # whose name it was may be another's now
        with self._call():
            found = commands.survey(self._wire, counts=counts)
            utf8 = "UTF8=ACCEPT" in self._wire.enabled
            named = [(f.attributes, f.delimiter, names.bounded(names.decode(f.raw, utf8=utf8))) for f in found.folders]
            statuses = [found.statuses.get(f.raw) for f in found.folders]
            listed = [
                replace(folder, status=status) for folder, status in zip(with_roles(named), statuses, strict=True)
            ]
            told = {(folder.name, folder.status.uidvalidity) for folder in listed if folder.status is not None}
            self.opened = before if just_opened and before in told else None
            return listed, found.whole

    def examine(self, name: str) -> FolderStatus:
        """Open a folder read-only; the calls below are about it from now on.

        Raises PermanentError `imap.folder_missing` when the server can't open it.
        """
        return self.resync(name, None)[0]

    def resync(self, name: str, known: tuple[int, int, int] | None) -> tuple[FolderStatus, Changes | None]:
        """Open a folder read-only and, in the same answer, learn what changed since (QRESYNC, RFC 7162 §3.2.5).

        `known` is (uidvalidity, highestmodseq, highest known UID). The changes are None where the server has no
        QRESYNC. They are the server's word: what vanished is to be judged against its own count.
        """
        self.opened = None
        with self._call(folder=name):
            refuse_control("folder", name)
            found = commands.examine(self._wire, name, resync=known)
        self.opened = name, found[0].uidvalidity
        return found

    def status(self, folder: str) -> FolderStatus:
        """Ask for a folder's counts without opening it (STATUS)."""
        with self._call(folder=folder):
            refuse_control("folder", folder)
            return commands.status(self._wire, folder)

    def offers(self, capability: str) -> bool:
        """Whether the server offers an extension after sign-in."""
        with self._call():
            return self._wire.has_capability(capability)

    def list_uids(self, lo: int, hi: int) -> list[int]:
        """Return the UIDs in lo..hi that exist, ascending. Ask for windows of 50,000 at most (sync.md A2)."""
        with self._call():
            # A server answers `n:m` beyond the end with its last message (RFC 3501 §6.4.8): drop the echo.
            return sorted({uid for uid in self._wire.search_raw(f"UID {lo}:{hi}") if lo <= uid <= hi})

    def list_newest(self, exists: int, count: int) -> list[int]:
        """Return the UIDs of the last `count` messages of the open folder, which has `exists`; ascending."""
        with self._call():
            found = self._wire.search_raw(f"{max(1, exists - count + 1)}:*") if exists else []
            return sorted({uid for uid in found if 0 < uid < 2**32})  # a server may answer anything

    def fetch_meta(self, uids: Iterable[int]) -> dict[int, RemoteMeta]:
        """Fetch flags, date and size; UIDs that are gone are not in the answer."""
        out: dict[int, RemoteMeta] = {}
        wanted = sorted(set(uids))
        for start in range(0, len(wanted), META_BATCH):
            part = wanted[start : start + META_BATCH]
            asked = set(part)
            for sequence in uidset.sets(part):
                with self._call():
                    for uid, (flags, internal_date, size, named, labels) in self._wire.fetch_metas(sequence).items():
                        if uid in asked and size is not None:
                            out[uid] = RemoteMeta(
                                uid, commands.flag_set(flags), _utc(internal_date), int(size), named,
                                commands.label_set(labels),
                            )  # fmt: skip
        return out

    def fetch_states(self, uids: Iterable[int]) -> dict[int, State]:
        """Fetch flags (and Gmail's labels); UIDs that are gone are not in the answer."""
        out: dict[int, State] = {}
        wanted = sorted(set(uids))
        asked = set(wanted)
        for start in range(0, len(wanted), STATE_BATCH):
            for sequence in uidset.sets(wanted[start : start + STATE_BATCH]):
                with self._call():
                    found = commands.states(self._wire, sequence)
                    out.update({uid: state for uid, state in found.items() if uid in asked})
        return out

    def fetch_flags(self, uids: Iterable[int]) -> dict[int, frozenset[str]]:
        """Fetch flags alone; UIDs that are gone are not in the answer."""
        return {uid: state.flags for uid, state in self.fetch_states(uids).items()}

    def fetch_changes(self, lo: int, hi: int, since: int) -> Changes:
        """Fetch what changed among lo..hi after the mod-sequence `since` (CONDSTORE), and what vanished (QRESYNC)."""
        with self._call():
            return commands.changes_since(self._wire, lo, hi, since)

    def fetch_message_ids(self, uids: Iterable[int]) -> dict[int, bytes]:
        """Fetch the raw Message-ID header field of each message, b"" where it has none."""
        out: dict[int, bytes] = {}
        wanted = set(uids)
        for sequence in uidset.sets(wanted):
            with self._call():
                data = self._wire._fetch_data(sequence, ("BODY.PEEK[HEADER.FIELDS (MESSAGE-ID)]",))
                for uid, item in answers.items(data).items():
                    header = answers.header_fields(item)
                    if uid in wanted and header is not None:
                        out[uid] = header
        return out

    def fetch_structure(self, uid: int) -> Section | None:
        """Fetch what a message is made of; None when the server's answer makes no sense."""
        with self._call():
            return parts.fetch_structure(self._wire, uid)

    def fetch_sections(self, uid: int, wanted: Sequence[str]) -> dict[str, bytes]:
        """Fetch whole sections of a message by their names; what can't be had is left out."""
        with self._call():
            return parts.fetch_sections(self._wire, uid, wanted)

    def fetch_pieces(self, uid: int, section: str = "") -> Iterator[bytes]:
        """Fetch a section, or the whole message, 1 MB after the other; nothing when the server does not hand it out."""
        start = 0
        while start <= MAX_MESSAGE:  # RFC822.SIZE is not to be trusted for the end; a server can't send for ever
            with self._call():
                piece = parts.fetch_piece(self._wire, uid, section, start, PIECE)
            if not piece:
                return
            yield piece
            start += len(piece)
            if len(piece) != PIECE:  # the end, or all at once from a server that knows no ranges
                return

    def fetch_raw(
        self, uids: Sequence[int], *, meta: dict[int, RemoteMeta] | None = None, following: Sequence[Sequence[int]] = ()
    ) -> Iterator[RemoteMessage | Unfetchable]:
        """Fetch whole messages without marking them read; one batch in memory at a time is the caller's to bound.

        Sizes are asked first (F13), unless `meta` has them; what is too large comes as Unfetchable. A message whose
        answer can't be parsed is found by halving the batch and comes as Unfetchable too. UIDs that are gone are not
        in the answer. `following` are those of the next calls, which then wait for no round trip.
        """
        known = meta if meta is not None else self.fetch_meta(uids)
        fits = [uid for uid in uids if uid in known and known[uid].size <= MAX_MESSAGE]
        for uid in uids:
            if uid in known and known[uid].size > MAX_MESSAGE:
                yield Unfetchable(uid, "too_large")
        yield from self._bodies(fits, known, [each for part in following for each in uidset.sets(part)])

    def _bodies(
        self, uids: list[int], meta: dict[int, RemoteMeta], following: Sequence[str] = ()
    ) -> Iterator[RemoteMessage | Unfetchable]:
        sequences = list(uidset.sets(uids))
        asked_next = [*sequences, *following]
        for n, sequence in enumerate(sequences, 1):
            part = uidset.parse(sequence)
            malformed = False
            answer: dict[int, bytes] = {}
            with self._call():
                try:
                    answer = self._wire.fetch_bodies(sequence, asked_next[n : n + AHEAD])
                except answers.MALFORMED:
                    malformed = True
            if malformed and len(part) == 1:
                yield Unfetchable(part[0], "malformed")
            elif malformed:
                middle = len(part) // 2
                yield from self._bodies(part[:middle], meta)
                yield from self._bodies(part[middle:], meta)
            else:
                asked = set(part)
                for uid in sorted(answer, reverse=True):
                    raw = answer.pop(uid)
                    if uid in asked:
                        yield RemoteMessage(uid, meta[uid].flags, meta[uid].internal_date, raw)

    def search_message_id(self, folder: str, message_id: str) -> list[int]:
        """Return the UIDs in `folder` whose Message-ID header holds `message_id` (attacker text: F12)."""
        self.examine(folder)
        with self._call(folder=folder):
            return sorted(self._wire.search_raw(f"HEADER Message-ID {quoted(message_id)}"))

    def append(
        self, folder: str, raw: bytes, flags: Sequence[str] = (), internal_date: datetime | None = None
    ) -> int | None:
        """Store a message in `folder`; return its UID where the server tells it (UIDPLUS), else None."""
        with self._call(folder=folder):
            refuse_control("folder", folder)
            answer = self._wire.append(folder, raw, tuple(flags), internal_date)
            found = _APPENDUID.search(answer if isinstance(answer, bytes) else str(answer).encode())
            return int(found[2]) if found else None


def connect(
    spec: ServerSpec,
    password: Secret,
    *,
    allow_private: bool = False,
    limits: Limits | None = None,
    context: ssl.SSLContext | None = None,
    opener: Callable[[], socket.socket] | None = None,
) -> ImapConnection:
    """Connect, agree on TLS and sign in; the result is a context manager.

    `context` replaces the shared TLS context (tests bring their own issuer), `opener` the way to a connected socket.
    Raises TransientError (name, TCP,
    time-out, throttling), PermanentError (certificate, security setting), NeedsReconnect (credentials;
    `oauth.token_refused` for a token).
    """
    refuse_control("user name", spec.username)
    refuse_control("password", secret_text(password))
    refuse_control("host", spec.host)
    limits = limits or Limits()
    wire = Wire(spec, allow_private=allow_private, limits=limits, context=context, opener=opener)
    try:
        with wire.deadline(limits.sign_in):
            with translated(spec):
                wire.greet()
            if isinstance(password, AccessToken):
                with translated(spec, signing_in=True, with_token=True):
                    sign_in.with_token(wire, spec, password)
            else:
                with translated(spec, signing_in=True):
                    sign_in.with_password(wire, spec.username, password)
            with translated(spec):
                commands.settle_capabilities(wire)  # they differ after sign-in on iCloud and others (A9 #17)
    except BaseException:
        wire.hang_up()
        raise
    return ImapConnection(wire, spec, with_token=isinstance(password, AccessToken))


__all__ = [
    "Changes",
    "FolderStatus",
    "ImapConnection",
    "RemoteFolder",
    "RemoteMessage",
    "RemoteMeta",
    "State",
    "Unfetchable",
    "connect",
    "encode_folder",
]
