"""Signs in for the watcher: in threads, because names, TLS and LOGIN wait; slowly, because servers mind storms.

At most `per_second` begin, two at once for one host, hosts in turn. Mailboxes that failed last time share half of the
threads: servers that hang can't keep the others out. Passwords and tokens come from `signing_in.py` and go nowhere else.
"""

from __future__ import annotations

import threading
from collections import OrderedDict, deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Generic, TypeVar

import structlog

from mailcrm.errors import MailcrmError, TransientError
from mailcrm.services.mail.imap.wire import Limits
from mailcrm.services.mail.signing_in import credentials, open_imap
from mailcrm.services.mail.watch.line import Line, take_over

THREADS = 8
PER_HOST = 2
PER_SECOND = 12.0  # about 1.5 ms of CPU each (sync.md A3)
LIMITS = Limits(connect=10, read=20, sign_in=30)  # a watcher can wait for its next try; its threads can't

log = structlog.get_logger()
Key = TypeVar("Key")


@dataclass(frozen=True, slots=True)
class SignedIn:
    """A connection that is ours: its socket, and what the server offers."""

    line: Line
    capabilities: frozenset[str]


def sign_in(mailbox_id: int) -> SignedIn:
    """Connect and sign in. Raises MailcrmError."""
    connection = open_imap(credentials(mailbox_id), LIMITS)
    try:
        capabilities = connection.capabilities()
    except BaseException:
        connection.close()
        raise
    return SignedIn(take_over(connection), capabilities)


class Door(Generic[Key]):
    """Lets mailboxes in, some at a time. All calls but the threads' own come from one thread."""

    def __init__(
        self,
        let_in: Callable[[Key, SignedIn | MailcrmError], None],
        *,
        per_second: float = PER_SECOND,
        signs_in: Callable[[int], SignedIn] = sign_in,
    ) -> None:
        """`let_in` is called in a thread of the pool with what came of it."""
        self._let_in, self._sign_in = let_in, signs_in
        self._every = 1 / per_second
        self._free_at = 0.0
        self._pool = ThreadPoolExecutor(THREADS, thread_name_prefix="sign-in")
        self._waiting: OrderedDict[str, deque[tuple[Key, int, bool]]] = OrderedDict()
        self._lock = threading.Lock()
        self._inside: dict[str, int] = {}
        self._suspects = self._total = 0

    def __len__(self) -> int:
        return sum(map(len, self._waiting.values()))

    def knock(self, key: Key, host: str, mailbox_id: int, *, suspect: bool) -> None:
        """Queue a mailbox; `suspect`: it failed last time."""
        self._waiting.setdefault(host, deque()).append((key, mailbox_id, suspect))

    def open(self, now: float) -> float | None:
        """Start who may sign in now; return when to call again, None when only an end can change anything."""
        while self._waiting:
            if now < self._free_at:
                return self._free_at
            chosen = self._choose()
            if chosen is None:
                return None
            host, key, mailbox_id, suspect = chosen
            self._free_at = max(self._free_at, now - self._every) + self._every
            with self._lock:
                self._inside[host] = self._inside.get(host, 0) + 1
                self._suspects += suspect
                self._total += 1
            self._pool.submit(self._work, host, key, mailbox_id, suspect)
        return None

    def _choose(self) -> tuple[str, Key, int, bool] | None:
        with self._lock:
            if self._total >= THREADS:
                return None
            for host, waiting in list(self._waiting.items()):
                key, mailbox_id, suspect = waiting[0]
                if self._inside.get(host, 0) >= PER_HOST or (suspect and self._suspects >= THREADS // 2):
                    continue
                waiting.popleft()
                if waiting:
                    self._waiting.move_to_end(host)
                else:
                    del self._waiting[host]
                return host, key, mailbox_id, suspect
        return None

    def _work(self, host: str, key: Key, mailbox_id: int, suspect: bool) -> None:
        result: SignedIn | MailcrmError
        try:
            result = self._sign_in(mailbox_id)
        except MailcrmError as error:
            result = error
        except Exception:
            log.exception("a sign-in broke", mailbox_id=mailbox_id)
            result = TransientError("sync.broke")
        with self._lock:
            self._inside[host] -= 1
            if not self._inside[host]:
                del self._inside[host]
            self._suspects -= suspect
            self._total -= 1
        self._let_in(key, result)
