"""2,000 idle connections in one watcher: memory, CPU, and how long a push takes to become a job.

The server is a process of its own: TLS, LOGIN, EXAMINE, IDLE, and pushes at a given rate to connections in turn. The
watcher is the real one, started as `serve` starts it, over a database with one mailbox for each connection; only the
rate of sign-ins is raised, so that the bench does not take minutes. A push is timed from the server's write to the
moment its job stands in the queue, so the row's transaction is included.
"""

from __future__ import annotations

import json
import os
import selectors
import signal
import socket
import ssl
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import dataclass
from pathlib import Path

from tests.servers.certificates import Issuer

ROOT = Path(__file__).resolve().parents[2]
SIGN_IN_S = 240.0
PUSHES_PER_S = 10
PER_SECOND = 150  # sign-ins


@dataclass(frozen=True)
class Idle:
    """What was measured; `cpu` in percent of one core, latencies in milliseconds."""

    connections: int
    rss_mb: float
    cpu_idle: float
    cpu_pushed: float
    p50_ms: float
    p99_ms: float
    sign_in_s: float


# ---- the server


class _Client:
    __slots__ = ("idle", "name", "rest", "shaken", "sock", "tag")

    def __init__(self, sock: ssl.SSLSocket) -> None:
        self.sock, self.rest, self.name, self.tag, self.idle, self.shaken = sock, b"", b"", b"", False, False


def serve_imap(certificate: str, key: str) -> None:
    """Run the server: prints its port, then how many idle; reads `push N` and answers with the times of the pushes."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    listener = socket.create_server(("127.0.0.1", 0), backlog=512)
    listener.setblocking(False)
    selector = selectors.DefaultSelector()
    selector.register(listener, selectors.EVENT_READ, "listener")
    selector.register(sys.stdin, selectors.EVENT_READ, "commands")
    idle: dict[bytes, _Client] = {}
    print(listener.getsockname()[1], flush=True)
    counts: dict[bytes, int] = {}
    while True:
        for chosen, _ in selector.select():
            if chosen.data == "listener":
                raw, _ = listener.accept()
                raw.setblocking(False)
                made = context.wrap_socket(raw, server_side=True, do_handshake_on_connect=False)
                selector.register(made, selectors.EVENT_READ, _Client(made))
            elif chosen.data == "commands":
                line = sys.stdin.readline()
                if not line:
                    return
                if line.startswith("count"):
                    print(len(idle), flush=True)
                    continue
                name = line.split()[1].encode()
                counts[name] = counts.get(name, 3) + 1
                started = time.monotonic()
                idle[name].sock.send(b"* %d EXISTS\r\n" % counts[name])
                print(started, flush=True)
            else:
                _answer(selector, chosen.data, idle)


def _answer(selector: selectors.BaseSelector, client: _Client, idle: dict[bytes, _Client]) -> None:
    try:
        if not client.shaken:
            client.sock.do_handshake()
            client.shaken = True
            client.sock.send(b"* OK [CAPABILITY IMAP4rev1 IDLE LITERAL+] bench\r\n")
        data = client.sock.recv(65536)
    except (ssl.SSLWantReadError, ssl.SSLWantWriteError):
        return
    except OSError:
        data = b""
    if not data:
        selector.unregister(client.sock)
        idle.pop(client.name, None)
        client.sock.close()
        return
    client.rest += data
    while b"\r\n" in client.rest:
        line, _, client.rest = client.rest.partition(b"\r\n")
        if line.upper() == b"DONE":
            client.idle = False
            client.sock.send(client.tag + b" OK done\r\n")
            continue
        tag, _, rest = line.partition(b" ")
        word = rest.split(b" ")[0].upper()
        if word == b"LOGIN":
            client.name = rest.split(b" ")[1].strip(b'"')
        if word == b"IDLE":
            client.tag, client.idle = tag, True
            idle[client.name] = client
            client.sock.send(b"+ idling\r\n")
        elif word == b"EXAMINE":
            client.sock.send(b"* 3 EXISTS\r\n* OK [UIDVALIDITY 7] x\r\n* OK [UIDNEXT 4] x\r\n" + tag + b" OK done\r\n")
        elif word == b"CAPABILITY":
            client.sock.send(b"* CAPABILITY IMAP4rev1 IDLE LITERAL+\r\n" + tag + b" OK done\r\n")
        else:
            client.sock.send(tag + b" OK done\r\n")


# ---- the measurement


class Process:
    """What a process uses, from /proc."""

    def __init__(self, pid: int) -> None:
        self.pid = pid

    def rss_mb(self) -> float:
        """Resident memory; the peak is of the sign-ins' time, and counts too."""
        lines = Path(f"/proc/{self.pid}/status").read_text().splitlines()
        return max(int(line.split()[1]) / 1024 for line in lines if line.startswith(("VmRSS", "VmHWM")))

    def cpu_s(self) -> float:
        """CPU seconds so far."""
        fields = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def fill(connections: int, port: int) -> dict[bytes, int]:
    """Make the mailboxes; return their ids by user name."""
    from mailcrm.models import Mailbox, User
    from mailcrm.models.base import utcnow
    from mailcrm.services import crypto, db

    db.migrate()
    ids: dict[bytes, int] = {}
    with db.transaction() as session:
        user = User(name="Bench", email="bench@example.net", password_hash="x", role="member")
        session.add(user)
        session.flush()
        for n in range(connections):
            row = Mailbox(
                user_id=user.id or 0, address=f"u{n}@example.net", imap_host="localhost", imap_port=port,
                imap_security="ssl", imap_username=f"u{n}", smtp_host="localhost", smtp_port=1, smtp_security="none",
                smtp_username="u", secret=b"", last_success_at=utcnow(),
            )  # fmt: skip
            session.add(row)
            session.flush()
            row.secret = crypto.seal({"imap": "x", "smtp": "x"}, context=f"mailbox:{row.id}")
            ids[f"u{n}".encode()] = row.id or 0
    return ids


class _Queue:
    """Takes jobs out as they come and notes when each mailbox's came."""

    def __init__(self) -> None:
        from mailcrm.services.jobs.lanes import Lane

        self.came: dict[int, float] = {}
        self.lane = Lane("sync", 1, self._note)
        self.lane.start()

    def _note(self, _job: str, args: dict[str, int | str]) -> None:
        self.came[int(args["mailbox_id"])] = time.monotonic()


def measure(connections: int = 2000, *, quiet_s: float = 60.0, pushes: int = 300) -> Idle:
    """Run the server and a watcher, wait until all idle, then measure."""
    from mailcrm import config, serve
    from mailcrm.services import db

    with tempfile.TemporaryDirectory(prefix="mailcrm-idle-") as folder:
        home = Path(folder)
        issuer = Issuer(home)
        certificate, key = issuer.issue("localhost")
        os.environ |= {"MAILCRM_DATA_DIR": folder, "SSL_CERT_FILE": str(issuer.file)}
        os.environ.pop("MAILCRM_DATABASE_URL", None)
        config.reset()
        db.dispose()
        server = subprocess.Popen(
            [sys.executable, "-m", "tests.bench.idle", "serve", str(certificate), str(key)],
            cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )  # fmt: skip
        watcher: subprocess.Popen[bytes] | None = None
        queue: _Queue | None = None
        try:
            assert server.stdin
            assert server.stdout
            ids = fill(connections, int(server.stdout.readline()))
            queue = _Queue()
            with (home / "watcher.log").open("wb") as log:
                watcher = subprocess.Popen(
                    [sys.executable, "-m", "tests.bench.idle", "watch"],
                    cwd=ROOT, env=os.environ | serve.watcher().extra, stdout=log, stderr=log,
                )  # fmt: skip
            used = Process(watcher.pid)
            started = time.monotonic()
            while _ask(server, "count") < connections:
                if time.monotonic() - started > SIGN_IN_S or watcher.poll() is not None:
                    raise RuntimeError((home / "watcher.log").read_text()[-3000:])
                time.sleep(0.5)
            signed_in = time.monotonic() - started
            time.sleep(5)  # the rows of the last ones are written
            before = used.cpu_s()
            time.sleep(quiet_s)
            cpu_idle = (used.cpu_s() - before) / quiet_s * 100
            before, began = used.cpu_s(), time.monotonic()
            latencies = _push(server, queue, ids, pushes)
            cpu_pushed = (used.cpu_s() - before) / (time.monotonic() - began) * 100
            ordered = sorted(latencies)
            return Idle(
                connections, used.rss_mb(), cpu_idle, cpu_pushed, ordered[len(ordered) // 2] * 1000,
                ordered[int(len(ordered) * 0.99) - 1] * 1000, signed_in,
            )  # fmt: skip
        finally:
            for process in (watcher, server):
                if process is not None:
                    process.send_signal(signal.SIGTERM)
                    process.wait(20)
            if queue is not None:
                queue.lane.stop()
            db.dispose()


def _push(server: subprocess.Popen[str], queue: _Queue, ids: dict[bytes, int], pushes: int) -> list[float]:
    took: list[float] = []
    names = list(ids)
    for n in range(pushes):
        name = names[n * 7 % len(names)]
        queue.came.pop(ids[name], None)
        sent = _ask(server, f"push {name.decode()}")
        while ids[name] not in queue.came:
            time.sleep(0.001)
            if time.monotonic() - sent > 30:
                raise RuntimeError("a push never became a job")
        took.append(queue.came[ids[name]] - sent)
        time.sleep(1 / PUSHES_PER_S)
    return took


def _ask(server: subprocess.Popen[str], command: str) -> float:
    assert server.stdin
    assert server.stdout
    server.stdin.write(command + "\n")
    server.stdin.flush()
    return float(server.stdout.readline())


def watch() -> None:
    """Run the watcher as its process does, with more sign-ins in a second."""
    from mailcrm import lean

    lean.keep_lean("alembic")
    from mailcrm import logs
    from mailcrm.services.mail.watch import watcher

    logs.setup("watcher")
    made = watcher.Watcher(per_second=PER_SECOND)
    signal.signal(signal.SIGTERM, lambda _number, _frame: made.stop())
    threading.current_thread().name = "watcher"
    made.run()
    os._exit(0)


def report(found: Idle) -> str:
    """Say it in one line."""
    return (
        f"{found.connections} idle connections in one watcher: {found.rss_mb:.0f} MB at most, "
        f"{found.cpu_idle:.2f} % CPU idle, {found.cpu_pushed:.1f} % at {PUSHES_PER_S} pushes/s; "
        f"push to job p50 {found.p50_ms:.0f} ms, p99 {found.p99_ms:.0f} ms; signed in within {found.sign_in_s:.0f} s"
    )


def main(connections: int = 2000) -> Idle:
    """Measure, print, return (for `python -m tests.bench idle`)."""
    found = measure(connections)
    print(report(found))
    return found


if __name__ == "__main__":
    if sys.argv[1:2] == ["serve"]:
        serve_imap(*sys.argv[2:4])
    elif sys.argv[1:2] == ["watch"]:
        watch()
    else:
        print(json.dumps(main(int(sys.argv[1]) if sys.argv[1:] else 2000).__dict__))
