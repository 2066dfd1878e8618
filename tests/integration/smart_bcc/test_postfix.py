"""Postfix relays real messages: to the listener, and to the drop mailbox in Dovecot (issue 8, "It is done when")."""

from __future__ import annotations

import smtplib
import time
from collections.abc import Callable

import pytest
from sqlmodel import col, select

from mailcrm.config import config
from mailcrm.models import BccArrival, DropMailbox
from mailcrm.services.crm import timeline
from mailcrm.services.crm.linking import link
from mailcrm.services.db import reading, transaction
from mailcrm.services.mail.imap import client
from mailcrm.services.smart_bcc import drop, drop_settings, intake
from mailcrm.services.smart_bcc.drop_settings import DropInput
from tests.integration.smart_bcc.cases import attached, forwarded, mail, signed
from tests.integration.smart_bcc.listening import Listener
from tests.integration.smart_bcc.world import EVIL_IP, GOOD_IP, World, sign
from tests.servers.dovecot import DovecotServer
from tests.servers.fixtures import needs
from tests.servers.postfix import PostfixServer
from tests.servers.smtp_sink import SmtpSink

MORE = "smtpd_authorized_xclient_hosts = 127.0.0.1\nsmtp_send_xforward_command = yes\nmynetworks = 0.0.0.0/0\n"


def rows() -> dict[str, BccArrival]:
    """Arrivals by the last word of their subject's case."""
    with reading() as session:
        found = list(session.exec(select(BccArrival).order_by(col(BccArrival.id))))
        session.expunge_all()
        return {row.subject.removeprefix("Fwd: "): row for row in found}


def post(server: PostfixServer, raw: bytes, to: str, ip: str, mail_from: str = "aino@crm.test") -> None:
    """Hand a message to Postfix as the host `ip` would."""
    with smtplib.SMTP("127.0.0.1", server.port) as sender:
        sender.ehlo("mx.sender.test")
        assert sender.docmd(f"XCLIENT ADDR={ip} NAME=mx.sender.test HELO=mx.sender.test")[0] == 220
        sender.ehlo("mx.sender.test")
        sender.sendmail(mail_from, [to], raw)


def wait_until(holds: Callable[[], bool], seconds: float = 30) -> None:
    """Wait for another program."""
    ends = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < ends, "it did not happen in time"
        time.sleep(0.05)


def shown(world: World) -> set[str]:
    """The subjects of the emails in the deal's timeline."""
    page = timeline.page_of(world.aino, "deal", world.deal_id, shown="emails", limit=100)
    return {each.message.subject for each in page.items if each.message is not None}


def test_to_the_listener(world: World) -> None:
    """DKIM, SPF through XFORWARD, forwards and forgeries through Postfix's own hands."""
    needs("postfix")
    to = world.address(deal_id=world.deal_id)
    posted = (
        (signed("authentic"), EVIL_IP, "stored", ""),
        (mail("by spf"), GOOD_IP, "stored", ""),
        (mail("forged"), EVIL_IP, "quarantined", "smart_bcc.not_genuine"),
        (signed("unconfirmed", "home.test", sender="new@home.test"), GOOD_IP, "quarantined", "smart_bcc.unconfirmed"),
        (attached("attached").replace(b"{address}", to.encode()), GOOD_IP, "stored", "smart_bcc.forwarded"),
        (sign(forwarded("outlook-ja")("outlook").replace(b"{address}", to.encode()), "crm.test"), EVIL_IP, "stored",
         "smart_bcc.forwarded"),
    )  # fmt: skip
    world.alternative(world.aino, "new@home.test", confirmed=False)
    with Listener() as listener:
        server = PostfixServer(listener.port, more=MORE)
        try:
            server.start()
            for raw, ip, _, _ in posted:
                post(server, raw, to, ip)
            wait_until(lambda: len(rows()) == len(posted))
            assert server.queued() == 0
        finally:
            server.stop()
    intake.take_in()
    link.apply_rules()
    found = rows()
    names = ("authentic", "by spf", "forged", "unconfirmed", "attached", "FW: outlook")
    ends = {name: (found[name].state, found[name].reason) for name in names}
    assert ends == {name: (state, reason) for name, (_, _, state, reason) in zip(names, posted, strict=True)}
    assert shown(world) == {"authentic", "by spf", "attached", "outlook"}
    assert sorted(world.notices()) == ["smart_bcc.not_genuine", "smart_bcc.unconfirmed"]


@pytest.fixture
def drop_box(world: World, dovecot: DovecotServer) -> str:
    """A drop mailbox with plus-addresses at Dovecot; its user's name."""
    name = f"drop{abs(hash(str(config().data_dir))) % 10**8}"
    dovecot.add_user(name)
    given = DropInput(f"{name}@drop.test", dovecot.host, name, "secret", dovecot.plain_port, "none")
    drop_settings.connect(world.admin, given)
    return name


def test_to_the_drop_mailbox(world: World, dovecot: DovecotServer, drop_box: str) -> None:
    """Plus-addresses in Delivered-To and To; DKIM alone proves; nothing there is changed; nothing comes twice."""
    needs("postfix")
    local = world.address(deal_id=world.deal_id).partition("@")[0]
    to = f"{drop_box}+{local}@drop.test"
    forward = sign(forwarded("gmail-ja")("fwd").replace(b"{address}", to.encode()), "crm.test")
    sink = SmtpSink(auth=False)
    sink.start()
    server = PostfixServer(sink.port, more=MORE)
    try:
        server.start()
        for raw in (signed("authentic"), mail("by spf alone"), forward, signed("elsewhere")):
            post(server, raw, to if b"elsewhere" not in raw else f"{drop_box}@drop.test", GOOD_IP)
        wait_until(lambda: len(sink.messages) == 4)
    finally:
        server.stop()
        sink.stop()
    for each in sink.messages:  # the delivery agent's line
        dovecot.deliver(drop_box, f"Delivered-To: {each.rcpt_to[0]}\r\n".encode() + each.raw)
    assert drop.fetch() == 4
    _again()
    assert drop.fetch() == 0
    intake.take_in()
    link.apply_rules()
    ends = {name: (row.state, row.reason) for name, row in rows().items()}
    assert ends == {
        "authentic": ("stored", ""),
        "by spf alone": ("quarantined", "smart_bcc.not_genuine"),
        "fwd": ("stored", "smart_bcc.forwarded"),
        "elsewhere": ("quarantined", "smart_bcc.unknown_address"),
    }
    assert shown(world) == {"authentic", "fwd"}
    assert all(row.way == "imap" for row in rows().values())
    with client.connect(dovecot.spec(drop_box), "secret", allow_private=True) as connection:
        connection.examine("INBOX")
        assert all("\\Seen" not in flags for flags in connection.fetch_flags(range(1, 10)).values())


def test_a_drop_mailbox_that_can_not_be_read_says_why(world: World, dovecot: DovecotServer, drop_box: str) -> None:
    """The error is kept, tried again later, and gone after a success; mail from before is left alone."""
    dovecot.deliver(drop_box, signed("new"))
    with transaction() as session:
        row = session.get_one(DropMailbox, 1)
        right, row.port = row.port, 1
        session.add(row)
    assert drop.fetch() == 0
    view = drop_settings.get(world.admin)
    assert view is not None
    assert view.error_sentence
    assert drop.fetch() == 0  # not due
    with transaction() as session:
        row = session.get_one(DropMailbox, 1)
        row.port, row.next_try_at = right, None
        session.add(row)
    assert drop.fetch() == 1
    assert drop_settings.get(world.admin).error_sentence == ""  # type: ignore[union-attr]


def _again() -> None:
    with transaction() as session:
        row = session.get_one(DropMailbox, 1)
        row.next_try_at = None
        session.add(row)
