"""`python -m tests.bench [--messages N] [--database URL]`: first sync of a large mailbox, beside mbsync.

Both clients read the same Dovecot in the same run, one after the other, after a warm-up that fills the page cache.
mbsync writes a Maildir (FSync no); mailcrm fetches, parses, threads and stores in its database and blob store. The
sync runs in a process of its own, whose peak memory is printed.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from tests.bench.mailbox import messages
from tests.servers.dovecot import DovecotServer

USER = "bench"


def machine() -> str:
    """Describe where this runs."""
    model = next(
        (line.partition(":")[2].strip() for line in _lines("/proc/cpuinfo") if line.startswith("model name")),
        platform.processor(),
    )
    load = os.getloadavg()[0]
    return f"{model}, {os.cpu_count()} CPUs, {platform.system()} {platform.release()}, Python {platform.python_version()}, load {load:.1f}"


def _lines(path: str) -> list[str]:
    try:
        return Path(path).read_text().splitlines()
    except OSError:
        return []


def fill(dovecot: DovecotServer, count: int) -> int:
    """Write the mailbox; return its bytes."""
    dovecot.add_user(USER)
    total = 0
    for raw, when, flags in messages(count):
        dovecot.deliver(USER, raw, flags=flags, when=when)
        total += len(raw) + raw.count(b"\n")
    return total


def run_mbsync(dovecot: DovecotServer, home: Path) -> float:
    """Let mbsync fetch everything; return the seconds."""
    (home / "mail").mkdir(parents=True)
    config = home / "mbsyncrc"
    config.write_text(
        f"""FSync no
IMAPAccount bench
Host 127.0.0.1
Port {dovecot.plain_port}
User {USER}
Pass {dovecot.passwords[USER]}
SSLType None
AuthMechs LOGIN

IMAPStore remote
Account bench

MaildirStore local
Path {home}/mail/
Inbox {home}/mail/INBOX

Channel bench
Far :remote:
Near :local:
Patterns INBOX
Create Near
Sync Pull
SyncState *
"""
    )
    started = time.monotonic()
    subprocess.run(["mbsync", "-q", "-c", str(config), "bench"], check=True)
    return time.monotonic() - started


def child(host: str, port: int, password: str) -> None:
    """Sync once in this process and print what it took, as JSON (the parent starts this)."""
    from mailcrm.models import Mailbox, User
    from mailcrm.services import crypto, db
    from mailcrm.services.mail.sync.engine import sync_mailbox
    from mailcrm.services.mail.sync.ledger import ledger

    db.migrate()
    with db.transaction() as session:
        user = User(name="Bench", email="bench@example.net", password_hash="x", role="member")
        session.add(user)
        session.flush()
        mailbox = Mailbox(
            user_id=user.id or 0, address="me@example.net", imap_host=host, imap_port=port, imap_security="none",
            imap_username=USER, smtp_host=host, smtp_port=25, smtp_security="none", smtp_username=USER, secret=b"",
        )  # fmt: skip
        session.add(mailbox)
        session.flush()
        mailbox_id = mailbox.id or 0
        mailbox.secret = crypto.seal({"imap": password, "smtp": password}, context=f"mailbox:{mailbox_id}")
    first: list[float] = []
    started = time.monotonic()
    cpu = time.process_time()
    report = sync_mailbox(mailbox_id, progress=lambda r: first.append(time.monotonic()) if not first else None)
    seconds, cpu = time.monotonic() - started, time.process_time() - cpu
    if report.error:
        raise report.error
    started = time.monotonic()
    sync_mailbox(mailbox_id)
    again = time.monotonic() - started
    lines = ledger(None, mailbox_id)
    print(
        json.dumps(
            {
                "seconds": seconds,
                "cpu": cpu,
                "first": first[0] - (started - seconds) if first else 0.0,
                "again": again,
                "stored": sum(line.stored for line in lines),
                "adds_up": all(line.adds_up and not line.pending for line in lines),
                "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
            }
        )
    )


def run_mailcrm(dovecot: DovecotServer, home: Path, database: str | None) -> dict[str, float]:
    """Sync in a child process; return its measurements."""
    environment = {k: v for k, v in os.environ.items() if not k.startswith("MAILCRM_")} | {
        "MAILCRM_DATA_DIR": str(home)
    }
    if database:
        environment["MAILCRM_DATABASE_URL"] = database
    done = subprocess.run(
        [sys.executable, "-m", "tests.bench", "--child", dovecot.host, str(dovecot.plain_port), dovecot.passwords[USER]],
        env=environment, check=True, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    found: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return found


def main() -> None:
    """Make the mailbox, run both, print."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    parser.add_argument("--messages", type=int, default=20_000)
    parser.add_argument("--database", help="an empty database (default: SQLite in a temporary folder)")
    parser.add_argument("--child", nargs=3, metavar=("HOST", "PORT", "PASSWORD"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child:
        child(options.child[0], int(options.child[1]), options.child[2])
        return
    if options.messages < 1:
        parser.error("--messages must be 1 or more")
    home = Path(tempfile.mkdtemp(prefix="mailcrm-bench-"))
    dovecot = DovecotServer()
    try:
        dovecot.start()
        total = fill(dovecot, options.messages)
        print(machine())
        print(f"{options.messages} messages, {total / 1e6:.1f} MB, Dovecot on loopback, no TLS")
        with_mbsync = shutil.which("mbsync") is not None
        if with_mbsync:
            run_mbsync(dovecot, home / "warm-up")
            shutil.rmtree(home / "warm-up")
            peer = run_mbsync(dovecot, home / "mbsync")
            print(f"mbsync   {options.messages / peer:8.0f} messages/s  {total / 1e6 / peer:6.1f} MB/s  {peer:7.1f} s")
        else:
            print("mbsync   is not installed (Debian: apt-get install isync): no comparison")
        own = run_mailcrm(dovecot, home / "data", options.database)
        rate = own["stored"] / own["seconds"]
        print(
            f"mailcrm  {rate:8.0f} messages/s  {total / 1e6 / own['seconds']:6.1f} MB/s  {own['seconds']:7.1f} s"
            f"  CPU {own['cpu']:.1f} s"
        )
        if with_mbsync:
            print(
                f"ratio    {rate / (options.messages / peer):.2f} of mbsync, which parses, threads and indexes nothing"
            )
        print(f"first messages after {own['first']:.2f} s; a second pass with nothing new {own['again']:.2f} s")
        print(f"worker's peak memory {own['peak_mb']:.0f} MB")
        if own["stored"] != options.messages or not own["adds_up"]:
            sys.exit("the ledger does not add up")
    finally:
        dovecot.stop()
        shutil.rmtree(home, ignore_errors=True)


if __name__ == "__main__":
    main()
