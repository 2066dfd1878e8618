"""One contract, four servers: Dovecot and Cyrus (CONDSTORE), Courier (neither CONDSTORE, MOVE nor special use), pymap.

The user's other program changes something, a pass runs, and `check` compares everything with the server again: UIDs,
bytes, flags, and the ledger. Where servers differ, the test says which and why.
"""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from datetime import UTC, datetime, timedelta

import pytest
from imapclient.exceptions import IMAPClientError
from sqlmodel import col, select

from mailcrm.models import Folder, Mailbox, MessageLocation
from mailcrm.services.db import reading, transaction
from mailcrm.services.mail.sync import engine
from tests.integration.servers.conftest import Account, account_on
from tests.integration.sync.conftest import raw
from tests.servers.other_program import ImapServer
from tests.servers.proxy import RecordingProxy

#: What a first sync and quiet passes may send (rule: read-only until the user asks for write-back).
READING = (
    "CAPABILITY", "LOGIN", "AUTHENTICATE", "ID", "ENABLE", "NAMESPACE", "LIST", "LSUB", "STATUS", "EXAMINE", "UID SEARCH",
    "UID FETCH", "NOOP", "CLOSE", "UNSELECT", "LOGOUT", "COMPRESS",
)  # fmt: skip


def folders_of(account: Account, *names: str) -> None:
    with account.program() as program:
        for name in names:
            program.create(name)


def test_a_first_sync_takes_everything_newest_first(account: Account) -> None:
    """Issue 3.1 and 3.2: the newest are there first, then all, byte for byte, and the ledger balances."""
    folders_of(account, "Work")
    sent = account.name("Sent")
    account.fill("INBOX", map(raw, range(1, 71)))
    with account.program() as program:
        program.flag("INBOX", program.uids()[::3], "\\Seen")
    account.deliver(raw(100), sent)
    account.deliver(raw(101), account.name("Work"), flags=["\\Flagged"])
    stored = threading.Event()
    first = engine.sync_mailbox(
        account.mailbox_id, progress=lambda report: stored.set() if report.stored else None, should_stop=stored.is_set
    )
    assert first.error is None
    here = account.locations("INBOX")
    with account.program() as program:
        there = program.uids()
    assert here, "the first batch was not stored"
    assert len(here) < 72
    assert sorted(here) == there[-len(here) :]
    assert account.sync().complete
    account.check()
    lines = account.ledger()
    assert (lines["INBOX"].stored, lines[sent].stored, lines[account.name("Work")].stored) == (70, 1, 1)
    assert account.by_id()["100@sync.test"].direction == "out"


def test_a_second_pass_changes_nothing(account: Account) -> None:
    """A quiet pass stores nothing, doubles nothing, touches nothing."""
    for n in range(1, 6):
        account.deliver(raw(n))
    account.sync()
    before = [(m.id, m.thread_id, m.read, m.gone_at) for m in account.messages()]
    places = account.locations()
    for _ in range(2):
        report = account.sync()
        assert (report.stored, report.vanished, report.complete) == (0, 0, True)
    assert [(m.id, m.thread_id, m.read, m.gone_at) for m in account.messages()] == before
    assert account.locations() == places


def test_new_mail_comes_alone(account: Account) -> None:
    """Incremental passes fetch what is new and nothing else."""
    for n in range(1, 6):
        account.deliver(raw(n))
    account.sync()
    with RecordingProxy((account.server.host, account.server.plain_port)) as proxy:
        use_port(account, proxy.port)
        account.deliver(raw(6))
        account.deliver(raw(7))
        assert account.sync().stored == 2
        bodies = [line for line in proxy.commands() if "BODY.PEEK[]" in line]
        assert len(bodies) == 1, bodies
    account.check()


def use_port(account: Account, port: int) -> None:
    """Let the mailbox connect elsewhere from now on."""
    with transaction() as session:
        mailbox = session.get_one(Mailbox, account.mailbox_id)
        mailbox.imap_port = port
        session.add(mailbox)


def test_reading_changes_nothing_on_the_server(account: Account) -> None:
    """Neither `\\Seen` nor `\\Recent`: the other program finds its mail as new and as unread as it was.

    But Courier numbers messages for good only when a folder is opened with SELECT, which takes `\\Recent` away.
    """
    courier = account.server.name == "courier"
    with account.program() as program:
        for n in range(1, 8):
            program.append(raw(n), flags=["\\Seen"] if n == 3 else [])
    with account.program() as program:
        program.client.select_folder("INBOX", readonly=True)
        before = program.flags()
    with RecordingProxy((account.server.host, account.server.plain_port)) as proxy:
        use_port(account, proxy.port)
        account.sync()
        account.sync()
        for line in proxy.commands():
            assert line.upper().startswith((*READING, *(("SELECT",) if courier else ()))), line
            assert "BODY[" not in line.upper(), line
    with account.program() as program:
        lost = {"\\Recent"} if courier else set[str]()
        assert program.flags() == {uid: flags - lost for uid, flags in before.items()}
        assert [uid for uid, flags in before.items() if "\\Seen" in flags] == [program.uids()[2]]
    account.check()


def test_flags_that_another_program_changed_arrive(account: Account) -> None:
    """Set and taken away, system flags and keywords, in both directions; read follows `\\Seen`."""
    for n in range(1, 5):
        account.deliver(raw(n), flags=["\\Seen"] if n == 4 else [])
    account.sync()
    with account.program() as program:
        one, two, _, four = program.uids()
        program.flag("INBOX", [one], "\\Seen", "\\Flagged")
        program.flag("INBOX", [two], "\\Answered", "$Forwarded")
        program.unflag("INBOX", [four], "\\Seen")
    account.later()
    account.sync()
    account.check()
    assert {m.rfc_message_id: m.read for m in account.messages()} == {
        "1@sync.test": True, "2@sync.test": False, "3@sync.test": False, "4@sync.test": False,
    }  # fmt: skip
    with account.program() as program:
        program.unflag("INBOX", [one], "\\Seen")
        program.unflag("INBOX", [two], "$Forwarded")
    account.later()
    account.sync()
    account.check()
    assert not account.by_id()["1@sync.test"].read


def test_flags_deep_in_a_folder_arrive_after_some_passes(sqlite_db: object, courier: ImapServer) -> None:
    """Without CONDSTORE only the newest are looked at often; the oldest have their turn too (sync.md A2)."""
    account = account_on(courier)
    for n in range(1, 452):
        account.deliver(raw(n))
    account.sync()
    with account.program() as program:
        oldest, *_, newest = program.uids()
        program.flag("INBOX", [oldest, newest], "\\Seen")
    account.later()
    account.sync()
    assert account.by_id()["451@sync.test"].read
    for _ in range(10):
        if account.by_id()["1@sync.test"].read:
            break
        account.later()
        account.sync()
    assert account.by_id()["1@sync.test"].read
    account.check()


def test_a_moved_message_keeps_its_identity(account: Account) -> None:
    """M14: links, opens and thread belong to the message, wherever the other program puts it."""
    folders_of(account, "Kunden")
    for n in range(1, 5):
        account.deliver(raw(n))
    account.sync()
    before = {m.rfc_message_id: (m.id, m.thread_id) for m in account.messages()}
    with account.program() as program:
        program.move("INBOX", program.uids()[1:3], "Kunden")
    account.sync()
    account.check()
    assert {m.rfc_message_id: (m.id, m.thread_id) for m in account.messages()} == before
    assert set(account.locations(account.name("Kunden")).values()) == {before[f"{n}@sync.test"][0] for n in (2, 3)}
    with account.program() as program:
        program.move("Kunden", program.uids("Kunden"), "INBOX")
    account.sync()
    account.check()
    assert {m.rfc_message_id: (m.id, m.thread_id) for m in account.messages()} == before


def test_a_deleted_message_leaves_its_place_and_stays(account: Account) -> None:
    """Settled question 6: what another program expunges is marked gone here, and never deleted."""
    for n in range(1, 7):
        account.deliver(raw(n))
    account.sync()
    with account.program() as program:
        uids = program.uids()
        program.flag("INBOX", [uids[4]], "\\Deleted")  # only marked: it is still there
        program.unflag("INBOX", [uids[4]], "\\Deleted")
        program.expunge("INBOX", [uids[0], uids[2]])
    report = account.sync()
    assert report.vanished == 2
    account.check()
    gone = {m.rfc_message_id for m in account.messages() if m.gone_at}
    assert gone == {"1@sync.test", "3@sync.test"}
    assert len(account.messages()) == 6
    account.deliver(raw(1))  # restored from the other program's backup
    account.sync()
    account.check()
    assert len(account.messages()) == 6


def test_expunged_and_delivered_between_two_passes(account: Account) -> None:
    """The count stays the same: one came, one went (a count alone would see nothing)."""
    for n in range(1, 4):
        account.deliver(raw(n))
    account.sync()
    with account.program() as program:
        program.expunge("INBOX", program.uids()[:1])
        program.append(raw(4))
    account.sync()
    account.check()
    assert len(account.locations()) == 3


def test_folders_come_are_renamed_and_go(account: Account) -> None:
    """A renamed folder's messages are not doubled, a deleted folder's messages stay here, marked gone."""
    folders_of(account, "Old", "Doomed")
    for n in range(1, 4):
        account.deliver(raw(n), account.name("Old"))
    account.deliver(raw(4), account.name("Doomed"))
    account.sync()
    before = {m.rfc_message_id: m.id for m in account.messages()}
    with account.program() as program:
        program.rename("Old", "New")
        program.delete("Doomed")
        program.create("Fresh")
    account.deliver(raw(5), account.name("Fresh"))
    account.sync()
    account.check()
    lines = account.ledger()
    assert {account.name("Old"), account.name("Doomed")}.isdisjoint(lines)
    assert lines[account.name("New")].stored == 3
    assert lines[account.name("Fresh")].stored == 1
    now = {m.rfc_message_id: m.id for m in account.messages()}
    assert {key: now[key] for key in before} == before
    assert {m.rfc_message_id for m in account.messages() if m.gone_at} == {"4@sync.test"}


def test_a_folder_deleted_and_made_again_begins_anew(account: Account) -> None:
    """The name is the same, the UIDs mean other messages: nothing is confused, nothing is lost."""
    folders_of(account, "Again")
    for n in range(1, 4):
        account.deliver(raw(n), account.name("Again"))
    account.sync()
    with account.program() as program:
        was = program.uidvalidity("Again")
        program.delete("Again")
        program.create("Again")
        while program.uidvalidity("Again") == was:  # Courier's is the clock's second
            program.delete("Again")
            time.sleep(0.3)
            program.create("Again")
        for n in (3, 8, 9):
            program.append(raw(n), "Again")
    account.sync()
    account.check()
    messages = account.by_id()
    assert {key for key, message in messages.items() if message.gone_at} == {"1@sync.test", "2@sync.test"}
    assert len(messages) == len(account.messages()) == 5


@pytest.mark.parametrize("server", ["dovecot", "courier"], indirect=True)
def test_a_new_uidvalidity_loses_nothing(account: Account) -> None:
    """Rule 6: places are made again by Message-ID and size. These two servers can be made to forget their UIDs."""
    for n in range(1, 6):
        account.deliver(raw(n))
    account.sync()
    before = {m.rfc_message_id: (m.id, m.thread_id) for m in account.messages()}
    account.server.new_uidvalidity(account.user)  # type: ignore[attr-defined]
    report = account.sync()
    assert report.stored == 0  # nothing was downloaded again
    account.check()
    assert {m.rfc_message_id: (m.id, m.thread_id) for m in account.messages()} == before


def test_an_emptied_folder_is_believed_in_the_end(account: Account) -> None:
    """Rule 6: at once it could be an outage; when it stays so, the server is right. Messages stay in any case."""
    account.fill("INBOX", map(raw, range(1, 61)))
    account.sync()
    with account.program() as program:
        program.expunge("INBOX", program.uids())
    engine.sync_mailbox(account.mailbox_id)
    account.sync()
    account.check()
    assert len(account.messages()) == 60
    assert account.ledger()["INBOX"].server == 0


def test_the_same_message_in_two_folders_is_stored_once(account: Account) -> None:
    """Issue 3.1: one content, one message, two places; taking one place away leaves the other."""
    folders_of(account, "Copies")
    account.deliver(raw(1))
    account.deliver(raw(2))
    with account.program() as program:
        program.copy("INBOX", program.uids()[:1], "Copies")
        program.copy("INBOX", program.uids()[:1], "Copies")  # and twice in one folder
    account.sync()
    account.check()
    first = account.by_id()["1@sync.test"]
    assert len(account.messages()) == 2
    assert list(account.locations(account.name("Copies")).values()) == [first.id, first.id]
    with account.program() as program:
        program.expunge("INBOX", program.uids()[:1])
    account.sync()
    account.check()
    assert account.by_id()["1@sync.test"].gone_at is None


def test_folders_for_special_use_are_recognised(account: Account) -> None:
    """By RFC 6154 where the server says it, by name elsewhere; Courier's lie below `INBOX.`."""
    account.sync()
    roles = account.roles()
    assert roles["INBOX"] == "inbox"
    for folder, role in (("Sent", "sent"), ("Drafts", "drafts"), ("Trash", "trash")):
        assert roles[account.name(folder)] == role


NAMES = (
    "Entwürfe & Skizzen", "日本語の見積", "Привет", "العربية", "emoji 📬 folder", "&", "a & b", "tilde~", "(brackets)", "[x]",
    'quote " quote', "back\\slash", "{5}", "100%", "star*", "INBOX copy", "  spaced  ", "naïve café", "~", "#news", "nul",
    "x" * 120, "見" * 60, "😀" * 20,
)  # fmt: skip


def test_any_folder_name_that_the_server_takes_is_synced(account: Account) -> None:
    """Modified UTF-7, quoting, lengths: a name that LIST tells can be opened, or its error is that folder's alone."""
    made: list[str] = []
    with account.program() as program:
        for n, name in enumerate(NAMES):
            try:
                program.create(name)
                program.append(raw(n), name)
            except IMAPClientError:
                continue  # this server doesn't want such names
            made.append(name)
    assert set(made) >= {"Entwürfe & Skizzen", "日本語の見積", "Привет", "العربية", "(brackets)", "naïve café"}
    assert len(made) >= 12
    report = account.sync()
    assert not report.folder_errors
    account.check()
    assert len(account.messages()) == len(made)


def test_deep_trees_and_folders_that_hold_no_mail(account: Account) -> None:
    """A parent that was never made, or was deleted under its child, can't be opened and is no error."""
    delimiter = {"courier": "."}.get(account.server.name, "/")
    deep = delimiter.join(f"level{n}" for n in range(12))
    folders_of(account, deep)
    account.deliver(raw(1), account.name(deep))
    report = account.sync()
    assert not report.folder_errors
    account.check()
    assert len(account.messages()) == 1


def test_mail_outside_the_history_is_skipped_with_its_reason(account: Account) -> None:
    """The window is by INTERNALDATE; what is outside is in the ledger as skipped."""
    with transaction() as session:
        mailbox = session.get_one(Mailbox, account.mailbox_id)
        mailbox.history_days = 30
        session.add(mailbox)
    account.deliver(raw(1), when=datetime.now(UTC) - timedelta(days=400))
    account.deliver(raw(2), when=datetime.now(UTC) - timedelta(days=40))
    account.deliver(raw(3), when=datetime.now(UTC) - timedelta(days=3))
    account.deliver(raw(4))
    account.sync()
    line = account.ledger()["INBOX"]
    assert (line.server, line.stored, line.skipped) == (4, 2, 2)
    account.check()


BODIES = {
    "latin1": b"caf\xe9 \xff\xfe unlabelled",
    "utf8": "見積書 ünïcödé".encode(),
    "controls": bytes(n for n in range(1, 256) if n not in b"\r\n"),
    "long line": b"x" * 200_000,
    "no newline at the end": b"end",
    "dots": b".\r\n..\r\n.",
    "an answer": b"* BYE x\r\na1 OK done\r\n) {5}\r\n* 1 FETCH (UID 1 BODY[] {3}\r\nabc)",
    "NUL": b"nul \0 nul",
    "headers only": b"",
}


def test_bytes_arrive_as_the_server_gives_them(account: Account) -> None:
    """8 bits, controls, NUL and texts that look like the protocol; some servers refuse or change some of them."""
    taken: set[str] = set()
    for n, (what, body) in enumerate(BODIES.items()):
        head = f"Message-ID: <{n}@bytes.test>\r\nSubject: {what}\r\n\r\n".encode()
        try:
            account.deliver(head + body)
        except IMAPClientError:
            continue
        taken.add(what)
    assert taken >= set(BODIES) - {"NUL", "controls"}
    account.sync()
    account.check()
    line = account.ledger()["INBOX"]
    assert (line.stored, line.quarantined) == (len(taken), 0)


_CHILD = """
import os, sys
from mailcrm.services.mail.sync.engine import sync_mailbox
sync_mailbox(int(sys.argv[1]), progress=lambda report: os.kill(os.getpid(), 9) if report.stored >= 50 else None)
"""


def test_a_killed_pass_goes_on_where_it_was(account: Account) -> None:
    """`kill -9` in mid-sync, then cut off and cut off again: nothing is lost, nothing is fetched into two rows."""
    account.fill("INBOX", (raw(n, body="x" * (n * 7)) for n in range(1, 151)))
    child = subprocess.run([sys.executable, "-c", _CHILD, str(account.mailbox_id)], check=False)
    assert child.returncode == -9
    stored = len(account.locations())
    assert 0 < stored < 150
    account.ledger()
    with RecordingProxy((account.server.host, account.server.plain_port)) as proxy:
        use_port(account, proxy.port)
        cut = engine.sync_mailbox(account.mailbox_id, progress=lambda _: proxy.cut())
        assert cut.complete or cut.error is not None
        account.ledger()
    use_port(account, account.server.plain_port)
    assert account.sync().complete
    account.check()
    assert len(account.messages()) == 150


def test_a_wrong_password_is_called_that(account: Account) -> None:
    """Each server refuses in its own words; the person reads one sentence."""
    account.server.passwords[account.user] = "another"
    if account.server.name == "dovecot":
        account.server.add_user(account.user, "another")
    report = engine.sync_mailbox(account.mailbox_id)
    assert report.error is not None
    assert report.error.code == "imap.wrong_password"


def test_sign_in_with_what_a_login_command_cannot_carry(sqlite_db: object, server: ImapServer) -> None:
    """Quotes and backslashes in passwords are as good as any."""
    account = account_on(server)
    server.add_user(account.user + "q", 'pa"ss\\wo rd{3}')
    from mailcrm.services import crypto

    with transaction() as session:
        mailbox = session.get_one(Mailbox, account.mailbox_id)
        mailbox.imap_username = account.user + "q"
        mailbox.secret = crypto.seal({"imap": 'pa"ss\\wo rd{3}', "smtp": "x"}, context=f"mailbox:{mailbox.id}")
        session.add(mailbox)
    account.server.deliver(account.user + "q", raw(1))
    assert account.sync().stored == 1


def test_a_folder_that_no_program_ever_opened_is_synced_once(sqlite_db: object, courier: ImapServer) -> None:
    """Field wound: to EXAMINE, Courier gives such a folder another UIDVALIDITY each second; every pass began anew."""
    account = account_on(courier)
    for n in range(1, 6):
        account.deliver(raw(n))  # as a delivery agent does, behind the IMAP server's back
    account.sync()
    second = int(time.time())
    while int(time.time()) == second:
        time.sleep(0.05)
    before = account.locations()
    with RecordingProxy((courier.host, courier.plain_port)) as proxy:
        use_port(account, proxy.port)
        report = account.sync()
        assert (report.stored, report.vanished, report.complete) == (0, 0, True)
        assert not [line for line in proxy.commands() if "FETCH" in line]
    assert account.locations() == before
    account.check()


def test_every_place_has_one_row(account: Account) -> None:
    """Two folders, one message: (folder, UID) is unique by construction, and so is each content in a mailbox."""
    folders_of(account, "Other")
    account.fill("INBOX", map(raw, range(1, 30)))
    account.fill("Other", map(raw, range(1, 30)))
    account.sync()
    account.check()
    with reading() as session:
        rows = session.exec(
            select(MessageLocation.folder_id, MessageLocation.uid)
            .join(Folder, col(Folder.id) == col(MessageLocation.folder_id))
            .where(Folder.mailbox_id == account.mailbox_id)
        ).all()
    assert len(rows) == len(set(rows)) == 58
    assert len({m.blob_sha for m in account.messages()}) == len(account.messages()) == 29
