"""Servers that misbehave while they are watched: the watcher notices, comes back, and asks for a sync then.

BYE, a cut, half-close, a close in TLS, garbage, a "+" that never comes, a flood, a hanging sign-in (issue 3 item 4).
"""

from __future__ import annotations

import socket
import ssl
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from mailcrm.services.mail.providers.tls import shared_context
from mailcrm.services.mail.watch import machine, signin, watcher
from mailcrm.services.mail.watch.watcher import Watcher
from tests.builders import a_mailbox, a_user
from tests.integration.watch.conftest import Jobs, row, until
from tests.servers.certificates import Issuer
from tests.servers.imap_misbehaving import MisbehavingImap, Peer

CAPABILITY = "* CAPABILITY IMAP4rev1 IDLE\r\n{tag} OK done\r\n"


@pytest.fixture(autouse=True)
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """Come back at once; give up an answer soon."""
    monkeypatch.setattr(watcher, "FIRST_S", 0.05)
    monkeypatch.setattr(watcher, "MOST_S", 0.1)
    monkeypatch.setattr(machine, "ANSWER_S", 0.5)
    monkeypatch.setattr(machine, "CHECK_S", 0.5)


class Server:
    """Plays what the test says to the first connection that idles, and is good to all that follow."""

    def __init__(self, misdeed: Callable[[Peer, str], None] | None, *, tls: ssl.SSLContext | None = None) -> None:
        self.misdeed = misdeed
        self.idling: list[tuple[Peer, str]] = []
        self.listener = MisbehavingImap(self.play, tls=tls)

    def play(self, peer: Peer) -> None:
        peer.send("* OK [CAPABILITY IMAP4rev1 IDLE] hello")
        peer.serve(
            {"CAPABILITY": CAPABILITY, "IDLE": self.idle, "STATUS": "* STATUS INBOX (MESSAGES 3)\r\n{tag} OK\r\n"}
        )

    def idle(self, peer: Peer, tag: str, _rest: str) -> None:
        misdeed, self.misdeed = self.misdeed or self.good, None
        misdeed(peer, tag)

    def good(self, peer: Peer, tag: str) -> None:
        peer.send("+ idling")
        self.idling.append((peer, tag))
        while True:
            line = " ".join(peer.line()).strip()
            if line == "DONE":
                self.idling.remove((peer, tag))
                peer.send(f"{tag} OK done")
                return


def bye(peer: Peer, _tag: str) -> None:
    peer.send("+ idling")
    peer.send("* BYE Session expired, please login again")
    peer.send("* BYE still here")
    time.sleep(0.2)


def cut_in_a_line(peer: Peer, _tag: str) -> None:
    peer.send("+ idling")
    peer.send(b"* 4 EXI")
    raise EOFError


def half_close(peer: Peer, _tag: str) -> None:
    peer.send("+ idling")
    peer.sock.shutdown(socket.SHUT_WR)
    peer.sock.recv(1)


def garbage(peer: Peer, _tag: str) -> None:
    peer.send("+ idling")
    peer.send(b"\x00\xff\xfe<html>what</html>\r\n")
    peer.sock.recv(1)


def no_plus(peer: Peer, _tag: str) -> None:
    peer.sock.recv(1)


def endless_line(peer: Peer, _tag: str) -> None:
    peer.send("+ idling")
    peer.send(b"* OK " + b"x" * (machine.MAX_LINE + 1))
    peer.sock.recv(1)


def flood(peer: Peer, _tag: str) -> None:
    peer.send("+ idling")
    for _ in range(machine.MAX_TALK // 60_000 + 2):
        peer.send(b"* OK " + b"x" * 59_993 + b"\r\n")


def say_nothing(peer: Peer) -> None:
    peer.sock.recv(1)


@pytest.fixture
def server() -> Iterator[Callable[..., Server]]:
    made: list[Server] = []

    def start(misdeed: Callable[[Peer, str], None] | None = None, *, tls: ssl.SSLContext | None = None) -> Server:
        made.append(Server(misdeed, tls=tls))
        return made[-1]

    yield start
    for each in made:
        each.listener.__exit__()


@pytest.mark.parametrize("misdeed", [bye, cut_in_a_line, half_close, garbage, no_plus, endless_line, flood])
def test_it_comes_back_and_asks_for_what_it_missed(
    sqlite_db: Path, server: Callable[..., Server], watch: Callable[[], Watcher], jobs: Jobs,
    misdeed: Callable[[Peer, str], None],
) -> None:  # fmt: skip
    wicked = server(misdeed)
    box = a_mailbox(a_user(), imap_host="localhost", imap_port=wicked.listener.port)
    watch()
    until(lambda: wicked.idling, "a second connection that idles")
    until(lambda: row(box).watch == "idle", "the row to say so")
    until(lambda: jobs.syncs(box) >= 1, "a sync for what came meanwhile")
    until(lambda: row(box).sync_requested_at is not None, "the request in the row")
    before = jobs.syncs(box)
    wicked.idling[0][0].send("* 4 EXISTS")
    jobs.next(box, before)


def test_over_tls_lines_in_pieces_and_a_close_of_the_session(
    sqlite_db: Path, server: Callable[..., Server], watch: Callable[[], Watcher], jobs: Jobs, tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    """What TLS has read and no selector shows, a close-notify without a TCP close, and a record for each byte."""
    issuer = Issuer(tmp_path)
    monkeypatch.setenv("SSL_CERT_FILE", str(issuer.file))
    shared_context.cache_clear()

    def close_notify(peer: Peer, _tag: str) -> None:
        peer.send("+ idling")
        peer.sock = peer.sock.unwrap()  # type: ignore[attr-defined]
        peer.sock.recv(1)

    certificate, key = issuer.issue("localhost")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    wicked = server(close_notify, tls=context)
    box = a_mailbox(a_user(), imap_host="localhost", imap_port=wicked.listener.port, imap_security="ssl")
    try:
        watch()
        until(lambda: wicked.idling, "a second connection that idles")
        until(lambda: jobs.syncs(box) >= 1, "the first sync")
        for n in range(3):
            before = jobs.syncs(box)
            for byte in b"* %d EXISTS\r\n" % (n + 4):
                wicked.idling[0][0].send(bytes([byte]))
            jobs.next(box, before)
    finally:
        shared_context.cache_clear()


@pytest.mark.parametrize(
    ("wrong", "code"),
    [
        ("name", "server.certificate_name"),
        ("expired", "server.certificate_expired"),
        ("issuer", "server.certificate_untrusted"),
    ],
)
def test_a_wrong_certificate_gets_no_password_and_no_socket(
    sqlite_db: Path, server: Callable[..., Server], watch: Callable[[], Watcher], jobs: Jobs, tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch, wrong: str, code: str,
) -> None:  # fmt: skip
    """Another host's name, an old one, one of nobody we trust: the server hears no command (security.md, TLS)."""
    trusted, stranger = tmp_path / "trusted", tmp_path / "stranger"
    for home in (trusted, stranger):
        home.mkdir()
    issuer, other = Issuer(trusted), Issuer(stranger)
    monkeypatch.setenv("SSL_CERT_FILE", str(issuer.file))
    shared_context.cache_clear()
    context = {
        "name": lambda: issuer.server_context("mail.elsewhere.test"),
        "expired": lambda: issuer.server_context("localhost", expired=True),
        "issuer": lambda: other.server_context("localhost"),
    }[wrong]()
    impostor, good = server(tls=context), server(tls=issuer.server_context("localhost"))
    a_mailbox(a_user(), imap_host="localhost", imap_port=impostor.listener.port, imap_security="ssl")
    honest = a_mailbox(a_user(), imap_host="localhost", imap_port=good.listener.port, imap_security="ssl")
    try:
        with capture_logs() as said:
            running = watch()
            until(lambda: row(honest).watch == "idle", "the honest server")
            until(lambda: any("code" in line for line in said), "the refusal")
        assert {line["code"] for line in said if "code" in line} == {code}
        assert running.counts()["idle"] == 1
        assert impostor.listener.received == []
        assert any("LOGIN" in line or "AUTHENTICATE" in line for line in good.listener.received)
    finally:
        shared_context.cache_clear()


def test_after_a_sleep_of_the_machine_every_connection_is_asked(
    sqlite_db: Path, server: Callable[..., Server], watch: Callable[[], Watcher], jobs: Jobs
) -> None:
    """The wall's clock went on, ours did not: the server has long hung up, and no packet says so."""
    wicked = server()
    a_mailbox(a_user(), imap_host="localhost", imap_port=wicked.listener.port)
    running = watch()
    until(lambda: running.counts()["idle"] == 1 and wicked.idling, "IDLE")
    before = len([line for line in wicked.listener.received if line.strip() == "DONE"])
    running._clocks = (running._clocks[0], running._clocks[1] - 3600)
    running._ring()
    until(lambda: len([each for each in wicked.listener.received if each.strip() == "DONE"]) > before, "the question")
    until(lambda: running.counts()["idle"] == 1 and wicked.idling, "IDLE again")


def test_servers_that_hang_keep_nobody_else_out(
    sqlite_db: Path, server: Callable[..., Server], watch: Callable[[], Watcher], jobs: Jobs,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    """Twenty mailboxes whose servers say nothing at all, each on a host of its own, and one that works."""
    monkeypatch.setattr(signin, "LIMITS", signin.Limits(connect=1, read=1, sign_in=1))
    silent = MisbehavingImap(say_nothing)
    good = server()
    with silent:
        for n in range(20):
            a_mailbox(a_user(), imap_host=f"127.0.0.{n + 1}" if n else "localhost", imap_port=silent.port)
        box = a_mailbox(a_user(), imap_host="localhost", imap_port=good.listener.port)
        watch()
        until(lambda: row(box).watch == "idle", "the good one")
        assert row(box).status == "active"


def test_where_idle_is_refused_counts_are_asked_for(
    sqlite_db: Path, server: Callable[..., Server], watch: Callable[[], Watcher], jobs: Jobs
) -> None:
    wicked = server(lambda peer, tag: peer.send(f"{tag} NO not on Sundays"))
    box = a_mailbox(a_user(), imap_host="localhost", imap_port=wicked.listener.port)
    watch()
    until(lambda: row(box).watch == "poll", "polling")
    assert any("STATUS" in line for line in wicked.listener.received)


def test_only_these_commands_are_sent(
    sqlite_db: Path, server: Callable[..., Server], watch: Callable[[], Watcher], jobs: Jobs
) -> None:
    """Nothing that changes a mailbox: an allow-list (issue 3 item 6)."""
    wicked = server(bye)
    a_mailbox(a_user(), imap_host="localhost", imap_port=wicked.listener.port)
    watch()
    until(lambda: wicked.idling, "IDLE")
    said = {line.split(" ")[1] if " " in line else line for line in wicked.listener.received}
    assert said <= {"CAPABILITY", "LOGIN", "ID", "EXAMINE", "STATUS", "IDLE", "DONE"}
