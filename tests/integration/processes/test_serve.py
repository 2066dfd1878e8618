"""`serve` as a person starts and stops it: one command, no orphan, one sentence when it can't (contract.md)."""

from __future__ import annotations

import os
import signal
import socket
import sqlite3
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from mailcrm import build
from tests.conftest import ROOT
from tests.servers.dovecot import free_port

DEADLINE_S = 180  # the interface may have to be built first
pytestmark = pytest.mark.xdist_group("serve")


def until(met: Callable[[], object], what: str) -> None:
    ends = time.monotonic() + DEADLINE_S
    while not met():
        assert time.monotonic() < ends, f"never came: {what}"
        time.sleep(0.1)


def descendants(pid: int) -> dict[int, str]:
    """Every living process below `pid`, with its command line."""
    parents: dict[int, int] = {}
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            try:
                fields = (folder / "stat").read_text().rpartition(")")[2].split()
            except OSError:
                continue
            if fields[0] != "Z":
                parents[int(folder.name)] = int(fields[1])
    found: dict[int, str] = {}
    wave = {pid}
    while wave:
        wave = {child for child, parent in parents.items() if parent in wave}
        for child in wave:
            found[child] = command(child)
    return found


def command(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode()
    except OSError:
        return ""


def alive(pids: dict[int, str]) -> list[str]:
    """Those that still run, and are still the same program."""
    return [line for pid, line in pids.items() if line and command(pid) == line]


class Served:
    def __init__(self, folder: Path, **settings: str) -> None:
        self.port = free_port()
        self.env = os.environ | {"MAILCRM_DATA_DIR": str(folder), "MAILCRM_PORT": str(self.port)} | settings
        self.env.pop("MAILCRM_DATABASE_URL", None)
        self.log = folder.parent / "serve.log"
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "mailcrm", "serve"], cwd=ROOT, env=self.env, stdout=log, stderr=log
            )

    def get(self, path: str) -> int:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}{path}", timeout=5) as answer:
                return answer.status
        except OSError:
            return 0

    def ready(self) -> Served:
        until(lambda: self.process.poll() is not None or self.get("/readyz") == 200, self.log.read_text())
        assert self.process.poll() is None, self.log.read_text()
        until(lambda: "mailcrm is at http" in self.log.read_text(), "the line that says where the page is")
        return self

    def running(self, name: str) -> list[int]:
        return [pid for pid, line in descendants(self.process.pid).items() if line.strip().endswith(name)]


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[Callable[..., Served]]:
    made: list[Served] = []

    def start(**settings: str) -> Served:
        (tmp_path / "data").mkdir(exist_ok=True)
        made.append(Served(tmp_path / "data", **settings))
        return made[-1]

    yield start
    for each in made:
        left = descendants(each.process.pid)
        each.process.kill()
        each.process.wait()
        for pid in left:
            if command(pid) == left[pid]:
                os.kill(pid, signal.SIGKILL)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_it_serves_and_stops_without_an_orphan(serve: Callable[..., Served], number: signal.Signals) -> None:
    served = serve().ready()
    assert served.get("/healthz") == 200
    assert served.get("/setup") == 200
    assert served.get("/metrics") == 200
    tree = descendants(served.process.pid)
    assert len(tree) >= 4  # web, its Granian worker, the jobs' worker, the watcher
    served.process.send_signal(number)
    assert served.process.wait(30) == 0
    for name in ("worker", "watcher"):
        assert f"{name} stopped" in served.log.read_text()  # not torn down by an error of its own
    until(lambda: not alive(tree), "the end of every process")


def test_another_port_needs_no_other_build(serve: Callable[..., Served]) -> None:
    """The built interface holds no host and no port."""
    first = serve().ready()
    first.process.send_signal(signal.SIGINT)
    first.process.wait(30)
    built = build.STAMP.stat().st_mtime_ns
    second = serve().ready()
    assert second.port != first.port
    assert build.STAMP.stat().st_mtime_ns == built
    assert "Building" not in second.log.read_text()
    for script in (build.WEB / "build" / "client").rglob("*.js"):
        text = script.read_text(errors="replace")
        assert f":{first.port}" not in text
        assert f":{second.port}" not in text


def test_nothing_outlives_a_killed_supervisor(serve: Callable[..., Served]) -> None:
    """kill -9 leaves no chance to tell the children; they find out."""
    served = serve().ready()
    tree = descendants(served.process.pid)
    served.process.kill()
    served.process.wait()
    until(lambda: not alive(tree), "the end of every process")


def test_a_killed_worker_is_started_again(serve: Callable[..., Served]) -> None:
    served = serve().ready()
    until(lambda: served.running("processes worker"), "a worker")
    before = served.running("processes worker")
    os.kill(before[0], signal.SIGKILL)
    until(lambda: served.running("processes worker") not in ([], before), "another worker")
    assert served.get("/healthz") == 200


def test_an_external_worker_is_not_started(serve: Callable[..., Served]) -> None:
    served = serve(MAILCRM_WORKER="external").ready()
    assert served.running("processes worker") == []
    assert served.running("processes watcher") == []


def start_fails(folder: Path, **settings: str) -> str:
    env = os.environ | {"MAILCRM_DATA_DIR": str(folder), "MAILCRM_PORT": str(free_port())} | settings
    env.pop("MAILCRM_DATABASE_URL", None)
    env |= {name: value for name, value in settings.items() if name == "MAILCRM_DATABASE_URL"}
    done = subprocess.run(
        [sys.executable, "-m", "mailcrm", "serve"],
        cwd=ROOT,
        env=env,
        capture_output=True,
        text=True,
        timeout=DEADLINE_S,
    )
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1, done.stderr
    return done.stderr


def test_a_port_in_use_is_one_sentence(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        assert f"Port {port} on 127.0.0.1 is in use." in start_fails(tmp_path, MAILCRM_PORT=port)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("MAILCRM_PORT", "none"),
        ("MAILCRM_PUBLIC_URL", "crm.example"),
        ("MAILCRM_WORKER", "perhaps"),
        ("MAILCRM_DATABASE_URL", "mysql://x"),
        ("MAILCRM_QUEUE_URL", "amqp://x"),
    ],
)
def test_a_bad_setting_is_one_sentence(tmp_path: Path, name: str, value: str) -> None:
    assert name in start_fails(tmp_path, **{name: value})


def test_a_database_that_is_not_there_is_one_sentence(tmp_path: Path) -> None:
    url = f"postgresql+psycopg://u:secret@127.0.0.1:{free_port()}/x"
    said = start_fails(tmp_path, MAILCRM_DATABASE_URL=url)
    assert said.startswith("The database can’t be reached")
    assert "secret" not in said


@pytest.mark.parametrize("name", ["MAILCRM_QUEUE_URL", "MAILCRM_REDIS_URL"])
def test_a_redis_that_is_not_there_is_one_sentence(tmp_path: Path, name: str) -> None:
    """Otherwise the children would start, break and start again for ever."""
    said = start_fails(tmp_path, **{name: f"redis://:secret@127.0.0.1:{free_port()}/0"})
    assert "can’t be reached" in said
    assert name in said
    assert "secret" not in said


def test_a_newer_database_is_refused(tmp_path: Path) -> None:
    env = os.environ | {"MAILCRM_DATA_DIR": str(tmp_path)}
    env.pop("MAILCRM_DATABASE_URL", None)
    subprocess.run([sys.executable, "-m", "mailcrm", "migrate"], cwd=ROOT, env=env, check=True, capture_output=True)
    with sqlite3.connect(tmp_path / "mailcrm.sqlite3") as connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
    assert "newer mailcrm (9999)" in start_fails(tmp_path)


def test_workers_started_by_hand_bring_a_watcher_of_which_one_works(
    serve: Callable[..., Served], tmp_path: Path
) -> None:
    """The second stands by, takes over when the first worker is killed, and ends with its own worker."""
    served = serve(MAILCRM_WORKER="external").ready()
    logs = [tmp_path / f"worker{n}.log" for n in range(2)]
    workers: list[subprocess.Popen[bytes]] = []
    try:
        for log in logs:
            with log.open("wb") as out:
                workers.append(
                    subprocess.Popen(
                        [sys.executable, "-m", "mailcrm", "worker"], cwd=ROOT, env=served.env, stdout=out, stderr=out
                    )
                )
            until(lambda log=log: "worker started" in log.read_text(), "a worker")
            until(
                lambda: sum("watcher started" in each.read_text() for each in logs if each.exists()) == 1, "a watcher"
            )
        first, second = (0, 1) if "watcher started" in logs[0].read_text() else (1, 0)
        assert "watcher started" not in logs[second].read_text()
        workers[first].kill()
        until(lambda: "watcher started" in logs[second].read_text(), "the one that stood by")
        left = descendants(workers[second].pid)
        assert any("processes watcher" in line for line in left.values())
        workers[second].send_signal(signal.SIGTERM)
        assert workers[second].wait(30) == 0
        until(lambda: not alive(left), "the end of its watcher")
    finally:
        for worker in workers:
            worker.kill()
            worker.wait()
