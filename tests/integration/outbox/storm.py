"""Servers that fail at every step and workers that are killed: what test_storm.py drives the outbox through.

`StormSink` draws a fault for each SMTP transaction; some strike the worker (kill -9) at that very step. `Workers` forks
processes from one that has everything imported, so that a kill costs milliseconds.
"""

from __future__ import annotations

import contextlib
import functools
import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable
from email.parser import BytesHeaderParser
from typing import Any

from aiosmtpd.smtp import SMTP, Envelope, Session

from tests.servers.dovecot import DovecotServer
from tests.servers.smtp_sink import Received, SmtpSink

SPAWNER = """
import os, signal, sys
from mailcrm.services import db
from mailcrm.services.mail.outbox import deliver, sent_copy
from mailcrm.services.mail.sync import engine
from mailcrm.services.tracking import outgoing
outgoing.deliver_due(1), sent_copy.store_copies(1)  # nothing is due yet: mappers and statements are made once
db.engine().dispose()
signal.signal(signal.SIGCHLD, signal.SIG_IGN)
print("up", flush=True)
for line in sys.stdin:
    pid = os.fork()
    if pid == 0:
        os.close(0)
        while outgoing.deliver_due(10) + sent_copy.store_copies(10):
            pass
        os._exit(0)
    print(pid, flush=True)
"""

#: What happens to a transaction, and how often. `_lost`: the server has the message, its answer never comes.
PLANS: dict[str, float] = {
    "none": 50,
    "mail_4xx": 3,
    "mail_5xx": 1,
    "mail_drop": 3,
    "rcpt_4xx": 3,
    "rcpt_5xx": 1,
    "rcpt_drop": 3,
    "data_4xx": 3,
    "data_drop": 3,
    "body_drop": 3,
    "dot_4xx": 3,
    "dot_5xx": 1,
    "dot_drop": 3,
    "dot_lost": 4,
    "mail_kill": 2,
    "rcpt_kill": 2,
    "data_kill": 2,
    "body_kill": 2,
    "dot_kill": 2,
    "dot_kill_lost": 4,
    "done_kill": 3,
}


class _Server(SMTP):
    def __init__(self, sink: StormSink, *args: Any, **kwargs: Any) -> None:
        self._storm = sink
        super().__init__(*args, **kwargs)

    async def smtp_DATA(self, arg: str) -> None:
        plan = getattr(self.envelope, "plan", "none")
        if plan == "data_4xx":
            await self.push("451 4.3.0 not now")
            return
        if plan == "data_kill":
            self._storm.strike()
        if plan in ("data_drop", "data_kill"):
            self.transport.abort()  # type: ignore[union-attr]
            return
        if plan in ("body_drop", "body_kill"):
            await self.push("354 go on")
            await self._reader.readline()
            if plan == "body_kill":
                self._storm.strike()
            self.transport.abort()  # type: ignore[union-attr]
            return
        await super().smtp_DATA(arg)


class StormSink(SmtpSink):
    """An SMTP server in bad weather. `strike` is called to kill whoever works; `saving` maps senders to Dovecot users."""

    def __init__(self, chance: random.Random) -> None:
        super().__init__()
        self.chance = chance
        self.drawn: Counter[str] = Counter()
        self.strike: Callable[[], None] = lambda: None
        self.calmed = False
        self._deck = [plan for plan in PLANS if plan != "none"]  # each is drawn once at least
        chance.shuffle(self._deck)
        self.saving: dict[str, str] = {}
        self.sent_on: DovecotServer | None = None

    def _factory(self) -> SMTP:
        return _Server(
            self, self, hostname="storm.test", enable_SMTPUTF8=True, timeout=60, authenticator=self._authenticate,
            auth_required=False, auth_require_tls=False,
        )  # fmt: skip

    async def handle_MAIL(
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        plan = "none" if self.calmed else self._draw()
        self.drawn[plan] += 1
        envelope.plan = plan  # type: ignore[attr-defined]
        return self._step("mail", plan, server) or await super().handle_MAIL(
            server, session, envelope, address, options
        )

    async def handle_RCPT(
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        plan = str(getattr(envelope, "plan", "none"))
        return self._step("rcpt", plan, server) or await super().handle_RCPT(
            server, session, envelope, address, options
        )

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        plan = str(getattr(envelope, "plan", "none"))
        if plan in ("dot_4xx", "dot_5xx", "dot_drop", "dot_kill"):
            return self._step("dot", plan, server) or ""
        raw = envelope.content if isinstance(envelope.content, bytes) else b""
        user = session.auth_data if isinstance(session.auth_data, str) else None
        self.messages.append(Received(envelope.mail_from or "", tuple(envelope.rcpt_tos), raw, user, ()))
        if self.sent_on is not None and (box := self.saving.get(envelope.mail_from or "")):
            self.sent_on.deliver(box, raw, "Sent", ("\\Seen",))  # as Gmail files what it sends
        if plan == "dot_kill_lost":
            self.strike()
        if plan in ("dot_lost", "dot_kill_lost"):
            server.transport.abort()  # type: ignore[union-attr]
        if plan == "done_kill":
            threading.Timer(0.005, self.strike).start()
        return "250 OK"

    def progress(self) -> int:
        """A number that grows with whatever the workers do here: transactions begun, copies in Sent folders."""
        boxes = (self.sent_on.maildir(user, "Sent") for user in self.users) if self.sent_on is not None else ()
        return self.drawn.total() + sum(len(os.listdir(box / part)) for box in boxes for part in ("cur", "new"))

    def _draw(self) -> str:
        if self._deck and self.chance.random() < 0.5:
            return self._deck.pop()
        return self.chance.choices(list(PLANS), list(PLANS.values()))[0]

    def _step(self, step: str, plan: str, server: SMTP) -> str | None:
        at, _, what = plan.partition("_")
        if at != step:
            return None
        if what == "kill":
            self.strike()
        if what in ("kill", "drop"):
            server.transport.abort()  # type: ignore[union-attr]
        return {"4xx": "451 4.3.0 not now", "5xx": "554 5.7.1 not like this"}.get(what, "421 gone")


class Workers:
    """Processes that deliver until nothing is due, and can be killed at any moment."""

    def __init__(self) -> None:
        self._spawner = subprocess.Popen(
            [sys.executable, "-c", SPAWNER], stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=dict(os.environ)
        )
        self._lock = threading.Lock()
        self._pids: list[int] = []
        self.started = self.kills = 0
        assert self._spawner.stdout is not None
        assert self._spawner.stdout.readline() == b"up\n"

    def start(self) -> None:
        """Fork one more worker."""
        assert self._spawner.stdin is not None
        assert self._spawner.stdout is not None
        self._spawner.stdin.write(b"go\n")
        self._spawner.stdin.flush()
        pid = int(self._spawner.stdout.readline())
        with self._lock:
            self._pids.append(pid)
        self.started += 1

    def strike(self) -> None:
        """Kill the worker that was started first and lives."""
        with self._lock:
            while self._pids:
                pid = self._pids.pop(0)
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
                    self.kills += 1
                    return

    def wait(self, done: Callable[[], bool], seconds: float) -> None:
        """Let them work until `done`, or until they have nothing to do, for so long at most.

        How far they come is what is drawn, not how long they have: on a busy machine a second is the time to begin.
        """
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline and self._alive() and not done():
            time.sleep(0.01)

    def end(self) -> None:
        """Kill those that live; returns when they are gone."""
        pids = list(self._pids)
        while self._pids:
            self.strike()
        deadline = time.monotonic() + 10
        while any(_exists(pid) for pid in pids) and time.monotonic() < deadline:
            time.sleep(0.005)

    def close(self) -> None:
        """End everything that was started."""
        self.end()
        for pipe in (self._spawner.stdin, self._spawner.stdout):
            if pipe is not None:
                pipe.close()
        self._spawner.kill()
        self._spawner.wait()

    def _alive(self) -> bool:
        with self._lock:
            self._pids = [pid for pid in self._pids if _exists(pid)]
            return bool(self._pids)


def _exists(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


@functools.lru_cache(10_000)
def message_id(raw: bytes) -> str:
    """The Message-ID of a message as it was received."""
    return str(BytesHeaderParser().parsebytes(raw)["Message-ID"] or "").strip("<> \r\n")
