"""The IMAP client against a real Dovecot: what it reads, and every byte that it sends."""

from __future__ import annotations

import re
from datetime import UTC, datetime

import pytest

from mailcrm.errors import NeedsReconnect, PermanentError, TransientError, UserError
from mailcrm.services.mail.imap.client import RemoteMessage, connect
from mailcrm.services.mail.providers.values import Security, ServerSpec
from tests.servers.dovecot import DovecotServer
from tests.servers.proxy import RecordingProxy

WHEN = datetime(2024, 2, 29, 12, 30, tzinfo=UTC)

# Every command the client may ever send, with its arguments' shape. EXAMINE never SELECT, PEEK always, no STORE.
ALLOWED = (
    r"CAPABILITY$",
    r'LOGIN \S+ "[^"]*"$',
    r"ENABLE (UTF8=ACCEPT |QRESYNC)+$",
    r'X?LIST "" "?\*"?$',
    r'LIST "" "\*" RETURN \((SPECIAL-USE )?STATUS \((MESSAGES|UIDNEXT|UIDVALIDITY|HIGHESTMODSEQ|MAILBOXID| )+\)\)$',
    r"EXAMINE \S.*?( \(CONDSTORE\)| \(QRESYNC \(\d+ \d+ 1:\d+\)\))?$",
    r"STATUS \S.* \((MESSAGES|UIDNEXT|UIDVALIDITY|HIGHESTMODSEQ|MAILBOXID| )+\)$",
    r"UID SEARCH UID \d+:\d+$",
    r"UID SEARCH \d+:\*$",
    r'UID SEARCH HEADER Message-ID "[^\r\n]*"$',
    r"UID FETCH [\d,:]+ \(FLAGS( X-GM-LABELS)?\)$",
    r"UID FETCH \d+:\d+ \(FLAGS MODSEQ( X-GM-LABELS)?\) \(CHANGEDSINCE \d+( VANISHED)?\)$",
    r"UID FETCH [\d,:]+ \(FLAGS INTERNALDATE RFC822\.SIZE( EMAILID| X-GM-MSGID X-GM-LABELS)?\)$",
    r"UID FETCH [\d,:]+ \(BODY\.PEEK\[\]\)$",
    r"UID FETCH [\d,:]+ \(BODY\.PEEK\[HEADER\.FIELDS \(MESSAGE-ID\)\]\)$",
    r"LOGOUT$",
)


def message(n: int) -> bytes:
    return b"Message-ID: <%d@imap.test>\r\nSubject: number %d\r\n\r\nbody %d\r\n" % (n, n, n)


@pytest.mark.parametrize("security", ["none", "ssl", "starttls"])
def test_reads_a_mailbox_over_every_kind_of_connection(dovecot: DovecotServer, security: Security) -> None:
    user = f"reader-{security}"
    dovecot.add_user(user)
    for n in range(1, 6):
        dovecot.deliver(user, message(n), flags=["\\Flagged"] if n == 2 else [], when=WHEN)
    dovecot.deliver(user, message(9), "仕事 & co")
    with connect(dovecot.spec(user, security), "secret", context=dovecot.issuer.client_context()) as connection:
        folders = {folder.name: folder for folder in connection.list_folders()}
        assert folders["INBOX"].role == "inbox"
        assert folders["Sent"].role == "sent"
        assert folders["仕事 & co"].role is None
        assert folders["仕事 & co"].selectable
        assert connection.examine("仕事 & co").exists == 1
        status = connection.examine("INBOX")
        assert (status.exists, status.uidnext) == (5, 6)
        assert connection.list_uids(1, 1000) == [1, 2, 3, 4, 5]
        assert connection.list_uids(6, 1000) == []  # no echo of the last message (RFC 3501 §6.4.8)
        fetched = [m for m in connection.fetch_raw([5, 2, 77]) if isinstance(m, RemoteMessage)]
        assert [(m.uid, m.raw) for m in fetched] == [(5, message(5)), (2, message(2))]
        assert fetched[1].flags == {"\\Flagged"}
        assert fetched[0].internal_date == WHEN
        assert connection.fetch_meta([1])[1].size == len(message(1))


def test_nothing_read_becomes_seen_and_every_command_is_on_the_list(dovecot: DovecotServer) -> None:
    """Issue 2: no `\\Seen` is ever set. The wire is recorded, and the Maildir looked at."""
    dovecot.add_user("wire")
    paths = [dovecot.deliver("wire", message(n)) for n in range(1, 4)]
    with RecordingProxy(("127.0.0.1", dovecot.plain_port)) as proxy:
        spec = ServerSpec("localhost", proxy.port, "none", "wire")
        with connect(spec, "secret") as connection:
            connection.list_folders()
            connection.status("Sent")
            connection.examine("INBOX")
            assert len(list(connection.fetch_raw(connection.list_uids(1, 100)))) == 3
            connection.fetch_flags([1, 2, 3])
            connection.fetch_message_ids([1])
            assert connection.search_message_id("INBOX", "<2@imap.test>") == [2]
    for command in proxy.commands():
        assert any(re.match(pattern, command) for pattern in ALLOWED), command
    assert any(command.startswith("UID FETCH") for command in proxy.commands())
    assert all(path.exists() and path.name.endswith(":2,") for path in paths)


def test_append_returns_the_uid_and_is_found_by_message_id(dovecot: DovecotServer) -> None:
    """The copy in Sent (sync.md A8.6): APPENDUID, flags and date are kept."""
    dovecot.add_user("sender")
    with connect(dovecot.spec("sender"), "secret") as connection:
        uid = connection.append("Sent", message(7), ["\\Seen"], WHEN)
        assert connection.search_message_id("Sent", "<7@imap.test>") == [uid]
        assert uid is not None
        meta = connection.fetch_meta([uid])[uid]
        assert meta.flags == {"\\Seen"}
        assert meta.internal_date == WHEN


def test_attacker_text_never_becomes_a_command(dovecot: DovecotServer) -> None:
    """F12: a received Message-ID with a line break is refused before a byte of it is sent."""
    dovecot.add_user("victim")
    dovecot.deliver("victim", message(1))
    evil = '<x@y>"\r\nA1 DELETE Sent'
    with RecordingProxy(("127.0.0.1", dovecot.plain_port)) as proxy:
        spec = ServerSpec("localhost", proxy.port, "none", "victim")
        with connect(spec, "secret") as connection:
            for attempt in (
                lambda: connection.search_message_id("INBOX", evil),
                lambda: connection.search_message_id("INBOX", "a\0b"),
                lambda: connection.examine("INBOX\r\nX DELETE Sent"),
                lambda: connection.append("Sent\nX", b"x"),
                lambda: connection.append("Sent", b"x", ["\\Seen)\r\nX DELETE Sent"]),
            ):
                with pytest.raises(UserError, match="line break"):
                    attempt()
            assert connection.search_message_id("INBOX", 'a"b\\') == []  # quoting survives
            assert connection.alive
        with pytest.raises(UserError):
            connect(ServerSpec("localhost", proxy.port, "none", "a\r\nX LOGOUT"), "secret")
    assert b"DELETE" not in proxy.sent
    assert b"X LOGOUT" not in proxy.sent


def test_credentials_that_are_not_ascii_sign_in(dovecot: DovecotServer) -> None:
    dovecot.add_user("umlaut", "pässwörd-日本")
    with connect(dovecot.spec("umlaut"), "pässwörd-日本") as connection:
        assert connection.alive


def test_wrong_password_and_missing_folder_are_told_apart(dovecot: DovecotServer) -> None:
    dovecot.add_user("apart")
    with pytest.raises(NeedsReconnect) as wrong:
        connect(dovecot.spec("apart"), "guess")
    assert wrong.value.code == "imap.wrong_password"
    with connect(dovecot.spec("apart"), "secret") as connection:
        with pytest.raises(PermanentError) as missing:
            connection.examine("No such folder")
        assert missing.value.code == "imap.folder_missing"
        assert connection.examine("INBOX").exists == 0  # the connection goes on


def test_untrusted_certificate_stops_before_the_password(dovecot: DovecotServer) -> None:
    """F14: certificates are verified; the shared context does not know the test's issuer."""
    dovecot.add_user("careful")
    for security in ("ssl", "starttls"):
        with RecordingProxy(("127.0.0.1", dovecot.tls_port if security == "ssl" else dovecot.plain_port)) as proxy:
            with pytest.raises(PermanentError) as caught:
                connect(ServerSpec("localhost", proxy.port, security, "careful"), "secret-words")  # type: ignore[arg-type]
            assert caught.value.code == "server.certificate_untrusted"
            assert b"secret-words" not in proxy.sent
            assert b"LOGIN" not in proxy.sent


def test_certificate_of_another_name_is_refused(dovecot: DovecotServer) -> None:
    dovecot.add_user("names")
    spec = ServerSpec("127.0.0.1", dovecot.tls_port, "ssl", "names")  # the certificate says localhost
    with pytest.raises(PermanentError) as caught:
        connect(spec, "secret", context=dovecot.issuer.client_context())
    assert caught.value.code == "server.certificate_name"


def test_a_broken_connection_is_dead_for_good(dovecot: DovecotServer) -> None:
    """Dead-connection rule (A9 #9, #12): after a break every call fails at once, none returns an empty answer."""
    dovecot.add_user("broken")
    dovecot.deliver("broken", message(1))
    with RecordingProxy(("127.0.0.1", dovecot.plain_port)) as proxy:
        connection = connect(ServerSpec("localhost", proxy.port, "none", "broken"), "secret")
        connection.examine("INBOX")
        proxy.cut()
        for _ in range(2):
            with pytest.raises(TransientError) as caught:
                connection.list_uids(1, 100)
            assert caught.value.code == "server.lost"
        assert not connection.alive
        connection.close()


def test_clear_text_to_another_machine_is_refused() -> None:
    """contract.md: without TLS only on loopback, decided on the resolved address."""
    with pytest.raises(PermanentError) as caught:
        connect(ServerSpec("192.0.2.1", 143, "none", "x"), "secret", allow_private=True)
    assert caught.value.code == "server.clear_text"
    with pytest.raises(PermanentError) as caught:
        connect(ServerSpec("10.0.0.1", 993, "ssl", "x"), "secret")
    assert caught.value.code == "server.private"
