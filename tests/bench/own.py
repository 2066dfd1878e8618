"""mailcrm's side of the benchmark: a worker process of its own that syncs a mailbox and prints what it took, as JSON.

`python -m tests.bench.own PORT USER PASSWORD WHAT`, with the settings in the environment. WHAT: "first" (a first sync
with everything that comes after it: parsed, durable, searchable, linked), "newest" (until the first messages are
readable), "again" (a pass over a mailbox that was synced, nothing new, by a process that
made such a pass before, as a worker has: the first loads certificates and compiles statements), "whole" (a first sync from a server whose
BODYSTRUCTURE is of no use).
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
from pathlib import Path

from tests.servers.dovecot import DovecotServer

Figures = dict[str, float]


def run(dovecot: DovecotServer, user: str, home: Path, what: str, *, port: int = 0, database: str = "") -> Figures:
    """Run a part in a child process; return its figures."""
    environment = {k: v for k, v in os.environ.items() if not k.startswith("MAILCRM_")} | {
        "MAILCRM_DATA_DIR": str(home)
    }
    if database:
        environment["MAILCRM_DATABASE_URL"] = database
    done = subprocess.run(
        [sys.executable, "-m", "tests.bench.own", str(port or dovecot.plain_port), user, dovecot.passwords[user], what],
        env=environment, check=True, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    found: Figures = json.loads(done.stdout.splitlines()[-1])
    return found


def _mailbox(port: int, user: str, password: str) -> int:
    """Return the mailbox's id; make it, and the database, when they are not there."""
    from sqlmodel import select

    from mailcrm.models import Mailbox, User
    from mailcrm.services import crypto, db

    # A worker never migrates, and is 10 MB smaller for it.
    subprocess.run([sys.executable, "-c", "from mailcrm.services import db; db.migrate()"], check=True)
    with db.transaction() as session:
        known = session.exec(select(Mailbox)).first()
        if known is not None:
            known.imap_port = port
            session.add(known)
            return known.id or 0
        person = User(name="Bench", email="bench@example.net", password_hash="x", role="member")
        session.add(person)
        session.flush()
        mailbox = Mailbox(
            user_id=person.id or 0, address="me@example.net",
            imap_host="127.0.0.1", imap_port=port, imap_security="none", imap_username=user,
            smtp_host="127.0.0.1", smtp_port=25, smtp_security="none", smtp_username=user, secret=b"",
        )  # fmt: skip
        session.add(mailbox)
        session.flush()
        mailbox.secret = crypto.seal({"imap": password, "smtp": password}, context=f"mailbox:{mailbox.id}")
        return mailbox.id or 0


def _peak_mb(pid: int | str = "self") -> float:
    """The most memory a process has held; ru_maxrss would count the bench that started it (it outlives exec)."""
    status = Path(f"/proc/{pid}/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0]) / 1024


def _cpu() -> float:
    """Seconds of processor time, of this process and of those that it started and that ended."""
    used = os.times()
    return time.process_time() + used.children_user + used.children_system


def main(port: int, user: str, password: str, what: str) -> None:
    """Do one part and print its figures."""
    from mailcrm import lean

    lean.keep_lean()  # as the worker's process does
    import huey.consumer  # noqa: F401  # pyright: ignore[reportMissingTypeStubs]  # what a worker has loaded

    from mailcrm.services.crm.linking import rules
    from mailcrm.services.jobs import runtime, tasks, worker  # noqa: F401
    from mailcrm.services.mail.imap.client import ImapConnection
    from mailcrm.services.mail.sync.engine import sync_mailbox
    from mailcrm.services.mail.sync.ledger import ledger
    from mailcrm.services.mail.sync.reader_process import ReaderProcess

    if what == "whole":
        ImapConnection.fetch_structure = lambda _self, _uid: None  # type: ignore[method-assign]
    runtime.prepare()  # as the worker does
    mailbox_id = _mailbox(port, user, password)
    if what == "again":
        sync_mailbox(mailbox_id)
    before = _peak_mb()
    readers = [0.0]  # what the processes that read messages held
    close = ReaderProcess.close

    def measured_close(reader: ReaderProcess) -> None:
        readers.append(_peak_mb(reader.process.pid))
        close(reader)

    ReaderProcess.close = measured_close  # type: ignore[method-assign]
    first: list[float] = []
    done = threading.Event()

    def link_beside() -> None:  # the worker's quick lane
        while not done.wait(0.2):
            while rules.apply_rules(1000):
                pass

    linker = threading.Thread(target=link_beside)
    started, cpu = time.monotonic(), _cpu()
    if what == "first":
        linker.start()
    report = sync_mailbox(
        mailbox_id,
        progress=lambda report: first.append(time.monotonic() - started) if report.stored and not first else None,
        should_stop=(lambda: bool(first)) if what == "newest" else None,
    )
    if report.error:
        raise report.error
    synced = time.monotonic() - started
    if what == "first":
        done.set()
        linker.join()
        while rules.apply_rules(1000):
            pass
    seconds, used = time.monotonic() - started, _cpu() - cpu
    lines = ledger(None, mailbox_id)  # ours to check, and no part of the pass: it counts all rows
    print(
        json.dumps(
            {
                "seconds": seconds,
                "synced": synced,
                "cpu": used,
                "first": first[0] if first else 0.0,
                "stored": sum(line.stored for line in lines),
                "adds_up": all(line.adds_up and not line.pending for line in lines),
                "before_mb": before,
                "peak_mb": _peak_mb() + max(readers),
                "reader_mb": max(readers),
            }
        )
    )


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2], sys.argv[3], sys.argv[4])
