"""The same against a real Dovecot: round trips of an unchanged mailbox, QRESYNC, renamed folders, one content twice."""

from __future__ import annotations

from sqlmodel import col, func, select

from mailcrm.models import Blob, Folder, Mailbox, Message
from mailcrm.services.db import reading, transaction
from mailcrm.services.mail.imap.client import connect as imap_connect
from mailcrm.services.mail.providers.values import ServerSpec
from tests.integration.sync.conftest import Box, connect, raw
from tests.servers.dovecot import DovecotServer
from tests.servers.proxy import RecordingProxy


def through(box: Box, proxy: RecordingProxy) -> None:
    with transaction() as session:
        mailbox = session.get_one(Mailbox, box.mailbox_id)
        mailbox.imap_port = proxy.port
        session.add(mailbox)


def folder_id(box: Box, name: str) -> int | None:
    with reading() as session:
        return session.exec(select(Folder.id).where(Folder.mailbox_id == box.mailbox_id, Folder.name == name)).first()


def test_an_unchanged_mailbox_costs_three_round_trips(box: Box) -> None:
    """Issue 3, speed: LOGIN and LIST tell capabilities and counts; nothing is opened, nothing asked twice."""
    for n in range(1, 60):
        box.deliver(raw(n))
    for n in range(60, 64):
        box.deliver(raw(n), f"Folder {n}")
    box.sync()
    box.sync()
    with RecordingProxy(("127.0.0.1", box.dovecot.plain_port)) as proxy:
        through(box, proxy)
        report = box.sync()
    assert report.complete
    assert [command.partition(" ")[0] for command in proxy.commands()] == ["LOGIN", "LIST", "LOGOUT"]


def test_what_changed_comes_with_one_more_command(box: Box) -> None:
    """QRESYNC: flags and vanished UIDs in the answer to EXAMINE; the ledger adds up."""
    paths = [box.deliver(raw(n)) for n in range(1, 101)]
    box.sync()
    with imap_connect(box.dovecot.spec(box.user), "secret") as connection:
        assert connection.examine("INBOX").highestmodseq
    paths[9].unlink()
    paths[3].rename(paths[3].with_name(paths[3].name + "S"))
    with RecordingProxy(("127.0.0.1", box.dovecot.plain_port)) as proxy:
        through(box, proxy)
        report = box.sync()
        if not report.vanished:  # Dovecot's STATUS sees what others did to a Maildir a little later
            report = box.sync()
    assert report.vanished == 1
    assert any("(QRESYNC (" in command for command in proxy.commands())
    assert not any("SEARCH" in command for command in proxy.commands())
    assert box.ledger()["INBOX"].stored == 99
    messages = {m.rfc_message_id: m for m in box.messages()}
    assert messages["4@sync.test"].read
    assert messages["10@sync.test"].gone_at is not None


def test_a_folder_that_was_renamed_on_dovecot_is_the_same_folder(box: Box) -> None:
    for n in range(1, 8):
        box.deliver(raw(n), "Arbeit")
    box.sync()
    before, arbeit = {m.id for m in box.messages()}, folder_id(box, "Arbeit")
    with imap_connect(box.dovecot.spec(box.user), "secret") as connection:
        connection._wire._imap.rename('"Arbeit"', connection._wire._normalise_folder("仕事 & co").decode())
    with RecordingProxy(("127.0.0.1", box.dovecot.plain_port)) as proxy:
        through(box, proxy)
        report = box.sync()
    assert (report.stored, report.vanished) == (0, 0)
    assert not any("BODY.PEEK[]" in command for command in proxy.commands())
    assert {m.id for m in box.messages() if m.gone_at is None} == before
    assert folder_id(box, "仕事 & co") == arbeit
    assert box.ledger()["仕事 & co"].stored == 7


def test_one_content_in_two_folders_and_two_mailboxes(db: str, dovecot: DovecotServer) -> None:
    """Issue 3.1: stored once as content, once for each mailbox as a copy, with a place for each folder (M13)."""
    one, two = connect(dovecot), connect(dovecot)
    for box in (one, two):
        box.deliver(raw(1))
        box.deliver(raw(1), "Copies")
        box.sync()
        assert len(box.messages()) == 1
        assert set(box.locations().values()) == set(box.locations("Copies").values()) == {box.messages()[0].id}
    with reading() as session:
        assert session.exec(select(func.count()).select_from(Blob)).one() == 1
        copies = session.exec(select(Message.mailbox_id, Message.blob_sha).order_by(col(Message.id))).all()
    assert [mailbox for mailbox, _ in copies] == [one.mailbox_id, two.mailbox_id]
    assert len({sha for _, sha in copies}) == 1


def test_a_server_in_the_clear_gets_no_needless_commands(dovecot: DovecotServer) -> None:
    """CAPABILITY comes with the greeting and with the answer to LOGIN."""
    dovecot.add_user("frugal")
    with RecordingProxy(("127.0.0.1", dovecot.plain_port)) as proxy:
        with imap_connect(ServerSpec("localhost", proxy.port, "none", "frugal"), "secret") as connection:
            assert connection.offers("QRESYNC")
            assert connection.offers("IDLE")
    assert proxy.commands() == ['LOGIN frugal "secret"', "LOGOUT"]
