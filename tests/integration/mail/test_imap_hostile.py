"""Hostile and broken IMAP servers (security.md F13, F14, threats 23 and 24; sync.md A9): no crash, no secret told."""

from __future__ import annotations

import ssl
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from mailcrm.errors import MailcrmError, PermanentError, TransientError
from mailcrm.services.mail.imap import watchdog
from mailcrm.services.mail.imap.client import RemoteMessage, Unfetchable, connect
from mailcrm.services.mail.imap.wire import Limits
from mailcrm.services.mail.providers.values import Security, ServerSpec
from tests.servers.certificates import Issuer
from tests.servers.imap_misbehaving import CAPABILITY, MisbehavingImap, Peer

QUICK = Limits(connect=2, read=2, sign_in=3)
SECRET = "do-not-tell"
GREETING = f"* OK [CAPABILITY {CAPABILITY} STARTTLS] hello"


def spec(server: MisbehavingImap, security: Security = "none") -> ServerSpec:
    return ServerSpec("localhost", server.port, security, "ann")


@pytest.fixture
def issuer(tmp_path: Path) -> Issuer:
    return Issuer(tmp_path)


@pytest.fixture
def play() -> Iterator[Callable[..., MisbehavingImap]]:
    servers: list[MisbehavingImap] = []

    def start(script: Callable[[Peer], None], *, tls: ssl.SSLContext | None = None) -> MisbehavingImap:
        servers.append(MisbehavingImap(script, tls=tls))
        return servers[-1]

    yield start
    for server in servers:
        server.__exit__()


def _plain(answers: dict[str, object]) -> Callable[[Peer], None]:
    def script(peer: Peer) -> None:
        peer.send(GREETING)
        peer.serve(answers)  # type: ignore[arg-type]

    return script


def _drip(peer: Peer) -> None:
    import time

    while True:
        peer.send(b"*")
        time.sleep(0.2)


@pytest.mark.parametrize(
    ("script", "code"),
    [
        (lambda peer: peer.sock.recv(1), "server.timeout"),
        (_drip, "server.timeout"),
        (lambda peer: peer.send("* BYE too many connections from your address"), "imap.throttled"),
        (lambda peer: peer.send("HTTP/1.1 400 Bad Request"), "server.protocol"),
        (lambda peer: peer.send(b"\x16\x03\x01\x00\xff\r\n"), "server.protocol"),
        (lambda peer: None, "server.lost"),
        (lambda peer: (peer.send("* PREAUTH come in"), peer.serve({})), "server.protocol"),
        (lambda peer: peer.send(b"* OK " + b"x" * 21_000_000), "imap.refused"),
    ],
    ids=["hangs", "drips", "bye", "http", "garbage", "closes", "preauth", "endless-line"],
)
def test_bad_greetings_are_one_transient_error_each(
    play: Callable[..., MisbehavingImap], script: Callable[[Peer], None], code: str
) -> None:
    server = play(script)
    with pytest.raises(TransientError) as caught:
        connect(spec(server), SECRET, limits=QUICK)
    assert caught.value.code == code
    assert not any(SECRET in line for line in server.received)


@pytest.mark.filterwarnings("ignore:ssl.TLSVersion:DeprecationWarning")  # the case "old" asks for it
@pytest.mark.parametrize(
    ("case", "code"),
    [
        ("no-capability", "server.no_starttls"),
        ("refused", "imap.refused"),
        ("injected", ""),
        ("self-signed", "server.certificate_untrusted"),
        ("wrong-name", "server.certificate_name"),
        ("expired", "server.certificate_expired"),
        ("old", "server.tls|server.lost"),  # who hangs up first is a matter of timing
    ],
)
def test_starttls_attacks_see_no_password(
    play: Callable[..., MisbehavingImap], issuer: Issuer, tmp_path: Path, case: str, code: str
) -> None:
    """Threat 24: whatever the man in the middle does, not a byte of the password is sent."""
    context = issuer.server_context("wrong.test" if case == "wrong-name" else "localhost", expired=case == "expired")
    if case == "self-signed":
        other = tmp_path / "other"
        other.mkdir()
        context = Issuer(other).server_context("localhost")
    if case == "old":
        context.minimum_version = ssl.TLSVersion.TLSv1
        context.maximum_version = ssl.TLSVersion.TLSv1_1

    def upgrade(peer: Peer, tag: str, rest: str) -> None:
        injected = f"{tag} OK go\r\n" + ("* CAPABILITY IMAP4rev1 EVIL\r\nX1 OK done\r\n" if case == "injected" else "")
        peer.send(injected.encode())
        peer.tls(context)

    def script(peer: Peer) -> None:
        offered = CAPABILITY if case == "no-capability" else f"{CAPABILITY} STARTTLS"
        peer.send(f"* OK [CAPABILITY {offered}] hello")
        answers: dict[str, object] = {
            "CAPABILITY": f"* CAPABILITY {offered}\r\n{{tag}} OK done\r\n",
            "STARTTLS": upgrade,
        }
        if case == "refused":
            answers["STARTTLS"] = "{tag} NO not now\r\n"
        peer.serve(answers)  # type: ignore[arg-type]

    server = play(script)
    client = issuer.client_context()
    client.minimum_version = ssl.TLSVersion.TLSv1_2
    if case == "injected":
        with connect(spec(server, "starttls"), SECRET, limits=QUICK, context=client) as connection:
            assert "EVIL" not in connection.capabilities()  # what came before the handshake was thrown away (F14)
        return
    with pytest.raises(MailcrmError) as caught:
        connect(spec(server, "starttls"), SECRET, limits=QUICK, context=client)
    assert caught.value.code in code.split("|")
    assert not any(SECRET in line or "LOGIN" in line for line in server.received)


def test_tls_to_a_plain_port_says_so(play: Callable[..., MisbehavingImap]) -> None:
    server = play(_plain({}))
    with pytest.raises(PermanentError) as caught:
        connect(spec(server, "ssl"), SECRET, limits=QUICK)
    assert caught.value.code == "server.tls_to_plain"


BODY = b"* 1 FETCH (UID %d BODY[] {5}\r\nhello)\r\n"


@pytest.mark.parametrize(
    "answer",
    [
        b"* 1 FETCH (UID 1 BODY[] {3000000000}\r\nx",  # literal bomb (gh-119511)
        b"* 1 FETCH " + b"(" * 100_000 + b"\r\n{tag} OK done\r\n",  # nested lists: RecursionError
        b"* 1 FETCH (UID\r\n{tag} OK done\r\n",
        b"* 1 FETCH (UID one BODY[] NIL)\r\n{tag} OK done\r\n",
        b'* 1 FETCH (UID 1 BODY[] "unclosed)\r\n{tag} OK done\r\n',
        b"* 1 FETCH (UID 1 FLAGS)\r\n{tag} OK done\r\n",
        b"* 1 FETCH (UID 99999 BODY[] {1}\r\nx)\r\n{tag} OK done\r\n",  # a UID nobody asked for
        b"* 1 FETCH (UID 0 BODY[] {1}\r\nx)\r\n{tag} OK done\r\n",
        b"* BYE shutting down\r\n",
        b"* 1 FETCH (UID 1 BODY[] {100}\r\nshort",
        b"garbage\r\n{tag} OK done\r\n",
        b"{tag} BAD no\r\n",
        b"* 1 EXISTS\r\n" * 300_000 + b"{tag} OK done\r\n",  # flood
    ],
    ids=range(13),
)
def test_malformed_answers_are_never_an_empty_success_nor_a_crash(
    play: Callable[..., MisbehavingImap], answer: bytes
) -> None:
    """Threat 23: the messages come as Unfetchable, are absent (gone), or one TransientError is raised."""

    def bodies(peer: Peer, tag: str, rest: str) -> None:
        peer.send(answer.replace(b"{tag}", tag.encode()))
        if b"{tag}" not in answer:
            peer.sock.shutdown(2)

    meta = b"".join(
        b'* %d FETCH (UID %d FLAGS () INTERNALDATE "01-Jan-2024 00:00:00 +0000" RFC822.SIZE 5)\r\n' % (n, n)
        for n in (1, 2)
    )
    server = play(_plain({r"UID FETCH \S+ \(FLAGS": meta + b"{tag} OK done\r\n", r"UID FETCH \S+ \(BODY": bodies}))
    with connect(spec(server), SECRET, limits=QUICK) as connection:
        connection.examine("INBOX")
        try:
            got = list(connection.fetch_raw([1, 2]))
        except TransientError:
            return  # any other error would leave this test
        assert all(isinstance(item, Unfetchable) and item.reason == "malformed" for item in got)


def test_a_literal_bomb_is_refused_at_its_announcement(play: Callable[..., MisbehavingImap]) -> None:
    """F13: not one byte of the three billion is waited for; otherwise this would end in a time-out."""
    meta = b"* 1 FETCH (UID 1 FLAGS () RFC822.SIZE 5)\r\n{tag} OK done\r\n"
    bomb = b"* 1 FETCH (UID 1 BODY[] {3000000000}\r\n"
    server = play(_plain({r"UID FETCH \S+ \(FLAGS": meta, r"UID FETCH \S+ \(BODY": bomb}))
    with connect(spec(server), SECRET, limits=QUICK) as connection:
        connection.examine("INBOX")
        with pytest.raises(TransientError) as caught:
            list(connection.fetch_raw([1]))
        assert caught.value.code == "imap.refused"
        assert not connection.alive


def test_one_malformed_message_does_not_take_the_others_along(play: Callable[..., MisbehavingImap]) -> None:
    """A9 #6: the batch is halved until the poison is alone."""
    meta = b"".join(b"* %d FETCH (UID %d FLAGS () RFC822.SIZE 5)\r\n" % (n, n) for n in range(1, 9))

    def bodies(peer: Peer, tag: str, rest: str) -> None:
        lo, _, hi = rest.split()[2].partition(":")
        for uid in range(int(lo), int(hi or lo) + 1):
            peer.send(b'* 1 FETCH (UID 6 BODY[] "un\\closed)\r\n' if uid == 6 else BODY % uid)
        peer.send(f"{tag} OK done")

    server = play(_plain({r"UID FETCH \S+ \(FLAGS": meta + b"{tag} OK done\r\n", r"UID FETCH \S+ \(BODY": bodies}))
    with connect(spec(server), SECRET, limits=QUICK) as connection:
        connection.examine("INBOX")
        got = list(connection.fetch_raw(range(1, 9)))
    assert sorted(m.uid for m in got if isinstance(m, RemoteMessage)) == [1, 2, 3, 4, 5, 7, 8]
    assert [m for m in got if isinstance(m, Unfetchable)] == [Unfetchable(6, "malformed")]


def test_a_message_that_claims_to_be_huge_is_not_asked_for(play: Callable[..., MisbehavingImap]) -> None:
    """F13: the size is asked first; the body of a 3 GB message is never requested."""
    server = play(
        _plain({r"UID FETCH \S+ \(FLAGS": b"* 1 FETCH (UID 1 FLAGS () RFC822.SIZE 3000000000)\r\n{tag} OK done\r\n"})
    )
    with connect(spec(server), SECRET, limits=QUICK) as connection:
        connection.examine("INBOX")
        assert list(connection.fetch_raw([1])) == [Unfetchable(1, "too_large")]
    assert not any("BODY" in line for line in server.received)


@pytest.mark.parametrize("answer", [b"* SEARCH 1 x 3\r\n{tag} OK done\r\n", b"{tag} NO [SERVERBUG] oops\r\n"])
def test_a_bad_search_answer_is_an_error_not_an_empty_list(play: Callable[..., MisbehavingImap], answer: bytes) -> None:
    """Rule 7: an exception is never turned into an empty list."""
    server = play(_plain({"UID SEARCH": answer}))
    with connect(spec(server), SECRET, limits=QUICK) as connection:
        connection.examine("INBOX")
        with pytest.raises(TransientError):
            connection.list_uids(1, 100)


def test_microsofts_backoff_hint_is_kept(play: Callable[..., MisbehavingImap]) -> None:
    """providers.md: "Suggested Backoff Time" is in milliseconds and becomes retry_after, at most 15 minutes."""
    server = play(_plain({"LOGIN": "{tag} NO Request is throttled. Suggested Backoff Time: 299900 milliseconds\r\n"}))
    with pytest.raises(TransientError) as caught:
        connect(spec(server), SECRET, limits=QUICK)
    assert caught.value.retry_after == 299.9


@pytest.mark.parametrize(
    ("said", "code"),
    [
        ("NO [AUTHENTICATIONFAILED] bad", "imap.wrong_password"),
        ("NO [ALERT] Application-specific password required", "imap.app_password"),
        ("NO Login fail. Please using authorized code to login.", "imap.app_password"),
        ("NO [UNAVAILABLE] Temporary authentication failure", "imap.unavailable"),
        ("NO IMAP access is disabled for your domain", "imap.disabled"),
        ("NO [ALERT] Too many simultaneous connections. (Failure)", "imap.throttled"),
    ],
)
def test_sign_in_refusals_are_told_apart(play: Callable[..., MisbehavingImap], said: str, code: str) -> None:
    """sync.md A4: an outage or a throttle must not ask the user for a new password."""
    server = play(_plain({"LOGIN": "{tag} " + said + "\r\n"}))
    with pytest.raises(MailcrmError) as caught:
        connect(spec(server), SECRET, limits=QUICK)
    assert caught.value.code == code


@pytest.mark.parametrize("begin", [b"* SEARCH", b"* 1 FETCH (UID 1 BODY[] {5000}\r\n"], ids=["line", "literal"])
def test_an_answer_that_drips_for_ever_has_an_end(
    play: Callable[..., MisbehavingImap], monkeypatch: pytest.MonkeyPatch, begin: bytes
) -> None:
    """Each byte came before the read's time-out: the pass, its thread and a verification's turn were held for ever."""
    monkeypatch.setattr(watchdog, "LOOK_S", 0.05)
    monkeypatch.setattr(watchdog, "_thread", None)

    def drip(peer: Peer, _tag: str, _line: str) -> None:
        peer.send(begin)
        with suppress(OSError):
            while True:
                peer.send(b" 1")
                time.sleep(0.1)

    server = play(_plain({r"UID (SEARCH|FETCH)": drip}))
    patient = Limits(connect=2, read=5, sign_in=5, command=0.5)
    with connect(spec(server), SECRET, limits=patient) as connection:
        connection.examine("INBOX")
        with pytest.raises(TransientError):
            connection.list_uids(1, 9) if begin.endswith(b"SEARCH") else connection.fetch_message_ids([1])
        assert not connection.alive
