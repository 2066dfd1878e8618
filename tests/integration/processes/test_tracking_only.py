"""`serve --tracking-only`: pixels, links and the opt-out page, and nothing else (issue 6, Deliver 8)."""

from __future__ import annotations

import http.client
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator

import pytest
from sqlmodel import func, select

from mailcrm.endpoints.tracking import PIXEL
from mailcrm.models import TrackedLink, TrackedMessage, TrackingEvent, utcnow
from mailcrm.services.db import reading, transaction
from mailcrm.services.tracking import tokens
from mailcrm.services.tracking.intake import FLUSH_S
from tests.conftest import ROOT
from tests.integration.processes.test_serve import descendants
from tests.servers.dovecot import free_port

DEADLINE_S = 60
AGENT = "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0"


class Served:
    """A running `serve --tracking-only`, on the test's database."""

    def __init__(self) -> None:
        self.port = free_port()
        env = os.environ | {"MAILCRM_PORT": str(self.port), "MAILCRM_HOST": "127.0.0.1"}
        self.process = subprocess.Popen(
            [sys.executable, "-m", "mailcrm", "serve", "--tracking-only"],
            cwd=ROOT, env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, start_new_session=True,
        )  # fmt: skip

    def ask(self, path: str, method: str = "GET", **headers: str) -> tuple[int, bytes, dict[str, str]]:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
        try:
            connection.request(method, path, headers={"User-Agent": AGENT, **headers})
            answer = connection.getresponse()
            return answer.status, answer.read(), {name.lower(): value for name, value in answer.getheaders()}
        finally:
            connection.close()

    def wait(self) -> Served:
        ends = time.monotonic() + DEADLINE_S
        while True:
            try:
                if self.ask("/readyz")[0] == 200:
                    return self
            except OSError:
                pass
            assert self.process.poll() is None
            assert time.monotonic() < ends, "it never came up"
            time.sleep(0.1)

    def raw(self, request: bytes) -> bytes:
        with socket.create_connection(("127.0.0.1", self.port), timeout=20) as connection:
            connection.sendall(request)
            connection.settimeout(5)
            found = b""
            try:
                while data := connection.recv(65536):
                    found += data
            except TimeoutError:
                pass
            return found

    def stop(self, number: signal.Signals = signal.SIGTERM) -> None:
        if self.process.poll() is None:
            self.process.send_signal(number)
            try:
                self.process.wait(20)
            finally:
                if self.process.poll() is None:
                    os.killpg(self.process.pid, signal.SIGKILL)


@pytest.fixture
def served(db: str) -> Iterator[Served]:
    server = Served()
    try:
        yield server.wait()
    finally:
        server.stop()


def a_tracked() -> str:
    with transaction() as session:
        row = TrackedMessage(nonce=tokens.new_nonce(), opens_on=True, clicks_on=True, sent_at=utcnow())
        session.add(row)
        session.flush()
        session.add(TrackedLink(tracked_id=row.id or 0, position=1, url="https://x.test/?a=1&b=%20#c"))
        return row.nonce


def recorded() -> int:
    with reading() as session:
        return session.exec(select(func.count()).select_from(TrackingEvent)).one()


def test_it_serves_what_strangers_ask_for_and_nothing_else(served: Served) -> None:
    nonce = a_tracked()
    pixel = f"/t/o/{tokens.make('open', nonce)}.gif"
    status, body, headers = served.ask(pixel)
    assert (status, body, headers["content-type"]) == (200, PIXEL, "image/gif")
    status, _, headers = served.ask(f"/t/c/{tokens.make('click', nonce, 1)}")
    assert (status, headers["location"]) == (302, "https://x.test/?a=1&b=%20#c")
    assert "no-store" in headers["cache-control"]
    assert headers["referrer-policy"] == "no-referrer"
    assert served.ask("/healthz")[0] == 200
    assert served.ask("/t/x/junk")[0] != 302
    for path in ("/", "/inbox", "/login", "/metrics", "/api/v1/messages", "/m/1/body", "/_event", "/ping", "/assets/x"):
        assert served.ask(path)[0] == 404, path
    for method in ("POST", "PUT", "DELETE", "OPTIONS", "PROPFIND"):
        assert served.ask(pixel, method)[:2] == (200, PIXEL), method
    for target in (b"/t/o/%0d%0aSet-Cookie:x", b"/t/o/%ff%fe", b"/t/o/", b"/t/o/../../etc", b"/t/o/" + b"a" * 10_000):
        answer = served.raw(b"GET " + target + b" HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        assert answer.startswith(b"HTTP/1.1 200"), (target, answer[:200])
        assert answer.endswith(PIXEL)
        assert b"set-cookie" not in answer.lower()
    for extra in (
        {"Range": "bytes=0-3"},
        {"If-None-Match": "*"},
        {"If-Modified-Since": "Sun, 22 Nov 2026 00:00:00 GMT"},
    ):
        assert served.ask(pixel, **extra)[:2] == (200, PIXEL)


def test_what_it_took_is_written_when_it_is_stopped(served: Served) -> None:
    """Deliver 3: an orderly end loses nothing."""
    token = tokens.make("open", a_tracked())
    for _ in range(40):
        served.ask(f"/t/o/{token}.gif")
    served.stop()
    assert recorded() == 40


def test_a_kill_loses_at_most_what_came_last(served: Served) -> None:
    """Deliver 3: what is in memory when the process is killed is at most that of FLUSH_S."""
    token = tokens.make("open", a_tracked())
    for _ in range(20):
        served.ask(f"/t/o/{token}.gif")
    ends = time.monotonic() + DEADLINE_S
    while recorded() < 20:
        assert time.monotonic() < ends
        time.sleep(FLUSH_S)
    served.ask(f"/t/o/{token}.gif")
    for pid in [served.process.pid, *descendants(served.process.pid)]:
        os.kill(pid, signal.SIGKILL)
    served.process.wait()
    assert recorded() in (20, 21)
