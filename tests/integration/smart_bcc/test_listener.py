"""The listener: accepted means stored, one answer for all local parts, limits, XFORWARD, LMTP, STARTTLS."""

from __future__ import annotations

import shutil
import smtplib
import socket
import ssl
from pathlib import Path

import pytest
from sqlmodel import col, select

from mailcrm import config as settings
from mailcrm.config import config
from mailcrm.models import BccArrival
from mailcrm.services.db import reading
from mailcrm.services.mail import blobs
from mailcrm.services.smart_bcc import authentic, limits, session
from mailcrm.services.smart_bcc.accept import MOST_BYTES
from tests.integration.smart_bcc.listening import Listener
from tests.integration.smart_bcc.world import GOOD_IP, World, a_mail
from tests.servers.certificates import Issuer


@pytest.fixture
def db(sqlite_db: object) -> str:
    """One database: what the listener writes is two INSERTs, which the table of cases does on both."""
    del sqlite_db
    return "sqlite"


def rows() -> list[BccArrival]:
    with reading() as session:
        found = list(session.exec(select(BccArrival).order_by(col(BccArrival.id))))
        session.expunge_all()
        return found


RAW = a_mail("aino@crm.test", "mika@saimaa.example")


def test_250_means_stored_and_every_local_part_gets_it(world: World) -> None:
    """Address harvesting learns nothing; the bytes are there when the answer comes."""
    known = world.address(deal_id=world.deal_id)
    with Listener() as listener, smtplib.SMTP("127.0.0.1", listener.port) as client:
        client.ehlo("mx.sender.test")
        answers = []
        for to in (known, "b" * 20 + "@bcc.test", "postmaster@bcc.test"):
            client.rset()
            client.mail("a@x.test")
            answers.append((client.rcpt(to), client.data(RAW)))
        assert len(set(answers)) == 1
        assert answers[0][1][0] == 250
        client.rset()
        client.mail("a@x.test")
        assert client.rcpt("x@elsewhere.test")[0] == 550
    kept = rows()
    assert [row.envelope_to for row in kept] == [known, "b" * 20 + "@bcc.test", "postmaster@bcc.test"]
    assert all(row.state == "waiting" and blobs.get(row.blob_sha or "") for row in kept)


def test_a_relay_says_for_whom_it_speaks_and_nobody_else_may(world: World) -> None:
    """XFORWARD counts from one's own network, for SPF; a relay that says nothing proves nothing."""
    to = world.address()
    with Listener() as listener, smtplib.SMTP("127.0.0.1", listener.port) as client:
        client.ehlo("relay.test")
        assert client.has_extn("xforward")
        assert client.docmd(f"XFORWARD ADDR={GOOD_IP} HELO=mx.crm.test NAME=[UNAVAILABLE]")[0] == 250
        client.sendmail("aino@crm.test", [to], RAW)
    with Listener() as listener, smtplib.SMTP("127.0.0.1", listener.port) as client:
        client.sendmail("aino@crm.test", [to], RAW)
    told, silent = rows()
    assert (told.client_address, told.client_name) == (GOOD_IP, "mx.crm.test")
    assert silent.client_address == ""


def test_what_can_not_be_stored_is_put_off(world: World) -> None:
    """A full disk: 4xx, no row, and the sender comes again."""
    place = config().data_dir / "blobs"
    shutil.rmtree(place, ignore_errors=True)
    place.write_text("no folder")
    with Listener() as listener, smtplib.SMTP("127.0.0.1", listener.port) as client:
        with pytest.raises(smtplib.SMTPDataError) as refused:
            client.sendmail("a@x.test", [world.address()], RAW)
        assert refused.value.smtp_code == 452
        assert rows() == []
        place.unlink()
        assert client.sendmail("a@x.test", [world.address()], RAW) == {}
    assert len(rows()) == 1


def test_too_large_is_refused_and_told(world: World) -> None:
    """25 MB: refused at MAIL by its declared size and at the end by its real one; the log says so."""
    to = world.address()
    with Listener() as listener, smtplib.SMTP("127.0.0.1", listener.port) as client:
        client.ehlo("mx.sender.test")
        assert client.esmtp_features["size"] == str(MOST_BYTES)
        assert client.docmd(f"MAIL FROM:<a@x.test> SIZE={MOST_BYTES + 1}")[0] == 552
        client.rset()
        client.mail("a@x.test")
        client.rcpt(to)
        assert client.data(RAW + (b"x" * 60_000 + b"\r\n") * (MOST_BYTES // 60_000 + 1))[0] == 552
    assert [(row.state, row.reason, row.blob_sha) for row in rows()] == [("refused", "smart_bcc.too_large", None)] * 2


def test_lmtp_answers_for_each_recipient(world: World) -> None:
    """RFC 2033: one reply after the dot for each."""
    with Listener("lmtp") as listener, smtplib.LMTP("127.0.0.1", listener.port) as client:
        client.ehlo("relay.test")
        client.mail("a@x.test")
        client.rcpt("a" * 20 + "@bcc.test")
        client.rcpt("b" * 20 + "@bcc.test")
        assert client.data(RAW)[0] == 250
        assert client.getreply()[0] == 250
        assert client.docmd("NOOP")[0] == 250
    assert [row.way for row in rows()] == ["lmtp", "lmtp"]


def test_starttls_where_there_is_a_certificate(world: World, tmp_path: Path) -> None:
    """Optional: without a certificate it is not offered."""
    issuer = Issuer(tmp_path)
    certificate, key = issuer.issue("localhost")
    with Listener(certificate=(str(certificate), str(key))) as listener:
        with smtplib.SMTP("127.0.0.1", listener.port) as client:
            context = ssl.create_default_context()
            context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
            assert client.starttls(context=context)[0] == 220
            client.sendmail("a@x.test", [world.address()], RAW)
    with Listener() as listener, smtplib.SMTP("127.0.0.1", listener.port) as client:
        client.ehlo()
        assert not client.has_extn("starttls")
    assert len(rows()) == 1


def test_the_rate_limit_counts_by_host_and_forgets() -> None:
    """One host's flood is put off; another's mail, and the same host's a minute later, are not."""
    seen = limits.Limits()
    for _ in range(limits.MESSAGES):
        assert seen.allows("198.51.100.1", 10.0)
        seen.count("198.51.100.1", 10.0, 100)
    assert not seen.allows("198.51.100.1", 11.0)
    assert seen.allows("198.51.100.2", 11.0)
    assert seen.allows("198.51.100.1", 11.0, relay=True)
    assert seen.allows("198.51.100.1", 10.0 + limits.WINDOW_S + 1)
    seen.count("2001:db8::1", 5.0, limits.MEGABYTES * 1_000_000)
    assert not seen.allows("2001:db8::ffff", 6.0)  # the same /64


def test_only_named_relays_are_believed(sqlite_db: object, monkeypatch: pytest.MonkeyPatch) -> None:
    """A private address is no relay by itself: behind Docker's proxy every stranger has one, and so has a colleague."""
    assert authentic.is_relay("127.0.0.1")
    assert authentic.is_relay("::ffff:127.0.0.1")
    assert not any(map(authentic.is_relay, ("172.17.0.1", "10.0.2.2", "192.168.1.9", "fd00::1", "", "x")))
    monkeypatch.setenv("MAILCRM_BCC_RELAYS", "10.0.0.5, 172.18.0.0/16")
    settings.reset()
    assert all(map(authentic.is_relay, ("10.0.0.5", "172.18.3.4")))
    assert not authentic.is_relay("10.0.0.6")


def test_strangers_leave_room_for_the_relay(sqlite_db: object) -> None:
    """An IPv6 /64 counts as one host, and many hosts together do not take every connection."""
    gate = session.Gate("bcc.test", "smtp")
    assert [gate.enters(f"2001:db8::{n}") for n in range(7)].count(True) == session.OF_ONE_HOST
    for n in range(60):
        gate.enters(f"198.51.100.{n}")
    assert gate.enters("127.0.0.1")
    for n in range(5):
        gate.leaves(f"2001:db8::{n}")
    assert gate.enters("2001:db8::9")


def test_a_line_without_end_is_cut_off(world: World) -> None:
    """Its octets would pile up in memory past every limit; other connections go on."""
    with Listener() as listener:
        with socket.create_connection(("127.0.0.1", listener.port), timeout=20) as peer:
            for line in (b"EHLO x", b"MAIL FROM:<a@x.test>", b"RCPT TO:<" + b"a" * 20 + b"@bcc.test>", b"DATA"):
                peer.recv(4096)
                peer.sendall(line + b"\r\n")
            peer.recv(4096)
            with pytest.raises(OSError):  # noqa: PT011, PT012  (reset or broken pipe, whichever comes first)
                for _ in range(200):
                    peer.sendall(b"x" * 65_536)
                raise OSError if peer.recv(1) == b"" else AssertionError
        with smtplib.SMTP("127.0.0.1", listener.port) as client:
            client.sendmail("a@x.test", [world.address()], RAW)
    assert len(rows()) == 1


def test_each_recipient_counts(world: World) -> None:
    """A message to fifty addresses is fifty rows to look at: it counts fifty times."""
    with Listener() as listener, smtplib.SMTP("127.0.0.1", listener.port) as client:
        client.ehlo("relay.test")
        client.docmd(f"XFORWARD ADDR={GOOD_IP}")
        for _ in range(3):
            client.sendmail("a@x.test", [f"{n}x@bcc.test" for n in range(45)], RAW)
        client.mail("a@x.test")
        assert client.rcpt("y@bcc.test")[0] == 451
