"""How servers differ in what they offer and what they do of it: one scripted server for each oddity of providers.md."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from mailcrm.services.mail.imap.client import ImapConnection, connect
from mailcrm.services.mail.providers.values import ServerSpec
from tests.servers.imap_misbehaving import MisbehavingImap, Peer

EXAMINED = "* 3 EXISTS\r\n* OK [UIDVALIDITY 7] ok\r\n* OK [UIDNEXT 9] ok\r\n* OK [HIGHESTMODSEQ 20] ok\r\n"
Answers = dict[str, Any]


def server(capabilities: str, answers: Answers, *, greeting: str = "* OK hello") -> MisbehavingImap:
    def script(peer: Peer) -> None:
        peer.send(greeting)
        peer.serve({"CAPABILITY": f"* CAPABILITY IMAP4rev1 {capabilities}\r\n{{tag}} OK done\r\n", **answers})

    return MisbehavingImap(script)


def sent(listener: MisbehavingImap) -> list[str]:
    return [line.partition(" ")[2] for line in listener.received]


def using(listener: MisbehavingImap, what: Callable[[ImapConnection], None]) -> list[str]:
    with listener, connect(ServerSpec("localhost", listener.port, "none", "ann"), "secret") as connection:
        what(connection)
    return sent(listener)


def test_capabilities_come_with_the_sign_in() -> None:
    """RFC 3501 §7.1: in the greeting and in the answer to LOGIN; asked only where neither says them."""
    answers = {"LOGIN": "{tag} OK [CAPABILITY IMAP4rev1 IDLE CONDSTORE] in\r\n"}
    told = server("", answers, greeting="* OK [CAPABILITY IMAP4rev1 AUTH=PLAIN] hello")

    def look(connection: ImapConnection) -> None:
        assert connection.offers("IDLE")
        assert not connection.offers("AUTH=PLAIN")

    assert using(told, look) == ['LOGIN ann "secret"', "LOGOUT"]
    silent = server("IDLE", {})
    assert using(silent, look) == ["CAPABILITY", 'LOGIN ann "secret"', "CAPABILITY", "LOGOUT"]


def test_qresync_that_was_not_confirmed_is_not_used() -> None:
    """iCloud: it offers QRESYNC, answers ENABLE with OK and no ENABLED, and sends VANISHED that nobody can read."""
    listener = server(
        "ENABLE CONDSTORE QRESYNC", {"ENABLE": "{tag} OK done\r\n", "EXAMINE": EXAMINED + "{tag} OK done\r\n"}
    )

    def look(connection: ImapConnection) -> None:
        status, changes = connection.resync("INBOX", (7, 12, 8))
        assert (status.highestmodseq, changes) == (20, None)

    assert 'EXAMINE "INBOX" (CONDSTORE)' in using(listener, look)


def test_qresync_tells_what_changed_and_garbage_tells_nothing() -> None:
    vanished = "* VANISHED (EARLIER) 2:3,5\r\n"
    for line, expected in ((vanished, ((2, 3), (5, 5))), ("* VANISHED (EARLIER) 2:*\r\n", None)):
        listener = server(
            "ENABLE CONDSTORE QRESYNC",
            {
                "ENABLE": "* ENABLED QRESYNC\r\n{tag} OK done\r\n",
                "EXAMINE": EXAMINED + line + "* 1 FETCH (UID 4 FLAGS (\\Seen) MODSEQ (19))\r\n{tag} OK done\r\n",
            },
        )

        def look(connection: ImapConnection, expected: object = expected) -> None:
            _, changes = connection.resync("INBOX", (7, 12, 8))
            assert changes is not None
            assert changes.vanished == expected
            assert {u: (s.flags, s.modseq) for u, s in changes.states.items()} == {4: (frozenset({"\\Seen"}), 19)}

        assert 'EXAMINE "INBOX" (QRESYNC (7 12 1:8))' in using(listener, look)


def test_a_refused_extension_is_asked_for_once() -> None:
    """IF: Microsoft answers RETURN options with BAD; a proxy may do so with EXAMINE parameters."""
    listener = server(
        "LIST-STATUS CONDSTORE",
        {
            r'LIST "" "\*" RETURN': "{tag} BAD what\r\n",
            "LIST": '* LIST () "/" INBOX\r\n{tag} OK done\r\n',
            r'EXAMINE "INBOX" \(': "{tag} BAD what\r\n",
            "EXAMINE": EXAMINED + "{tag} OK done\r\n",
        },
    )

    def look(connection: ImapConnection) -> None:
        for _ in range(2):
            assert [folder.name for folder in connection.survey()[0]] == ["INBOX"]
            assert connection.examine("INBOX").exists == 3

    commands = using(listener, look)
    assert sum("RETURN" in line for line in commands) == 1
    assert sum("(CONDSTORE)" in line for line in commands) == 1


def test_xlist_where_nothing_else_tells_uses() -> None:
    """Yandex: no SPECIAL-USE."""
    listener = server("XLIST", {"XLIST": '* XLIST (\\Inbox) "|" INBOX\r\n* XLIST (\\Spam) "|" x\r\n{tag} OK done\r\n'})

    def look(connection: ImapConnection) -> None:
        assert [(f.name, f.role) for f in connection.list_folders()] == [("INBOX", "inbox"), ("x", "junk")]

    using(listener, look)


@pytest.mark.parametrize(
    ("listed", "shown"),
    [
        (b'"AT&T"', "AT&T"),
        (b'"Entw\xc3\xbcrfe"', "Entwürfe"),
        (b"{4}\r\n\xfc\xff a", "\uf7fc\uf7ff a"),
        (b'"&ZeVnLA-"', "日本"),
        (b"2024", "2024"),
    ],
)
def test_a_folder_is_opened_by_the_name_that_was_listed(listed: bytes, shown: str) -> None:
    """providers.md section 7: names that are not modified UTF-7 are kept byte for byte."""
    listener = server(
        "", {"LIST": b'* LIST () "/" ' + listed + b"\r\n{tag} OK done\r\n", "EXAMINE": EXAMINED + "{tag} OK done\r\n"}
    )

    def look(connection: ImapConnection) -> None:
        (folder,) = connection.list_folders()
        assert folder.name.lstrip("\u2060") == shown
        connection.examine(folder.name)

    raw = listed.rpartition(b"\n")[2].strip(b'"')
    assert f'EXAMINE "{raw.decode("latin-1")}"' in [line.rstrip("\r\n") for line in using(listener, look)]


def test_gmails_identity_and_labels() -> None:
    """X-GM-EXT-1; labels come in modified UTF-7, and bogus integers were seen (CLO, MK)."""
    line = (
        '* 1 FETCH (X-GM-MSGID 1278455344230334865 X-GM-LABELS ("\\\\Inbox" "&ZeVnLA-" 2024) UID 4 RFC822.SIZE 12 '
        'INTERNALDATE "01-Feb-2024 10:00:00 +0000" FLAGS (\\Seen))\r\n'
    )
    listener = server("X-GM-EXT-1", {"UID FETCH": line + "{tag} OK done\r\n"})

    def look(connection: ImapConnection) -> None:
        connection.examine("INBOX")
        meta = connection.fetch_meta([4])[4]
        assert (meta.remote_id, meta.labels) == ("gm:1278455344230334865", ("2024", "\\Inbox", "日本"))

    assert "UID FETCH 4 (FLAGS INTERNALDATE RFC822.SIZE X-GM-MSGID X-GM-LABELS)" in using(listener, look)
