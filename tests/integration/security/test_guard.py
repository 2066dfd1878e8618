"""Threat 6 at the socket: each way out of the application asks the one guard, and connects to nothing it refused.

Python's audit events see every connect of the process, whatever module makes it, so a way out that forgets the guard is
seen here. That there is no other way out is `tests/unit/security/test_outgoing.py`.
"""

from __future__ import annotations

import socket
from collections.abc import Callable
from contextlib import suppress

import pytest
import requests

from mailcrm.errors import MailcrmError
from mailcrm.models import Outbox
from mailcrm.services.db import reading
from mailcrm.services.mail.ews.http import Way as Exchange
from mailcrm.services.mail.imap import client as imap
from mailcrm.services.mail.oauth import http as oauth
from mailcrm.services.mail.outbox import draft, queue
from mailcrm.services.mail.outbox.smtp_line import open_session
from mailcrm.services.mail.outbox.views import DraftInput
from mailcrm.services.mail.providers import hosts, lookups
from mailcrm.services.mail.providers.values import ServerSpec
from mailcrm.services.mail.remote_images.fetch import Way
from mailcrm.services.mail.sync.engine import sync_mailbox
from mailcrm.services.tracking import outgoing
from mailcrm.services.webhooks import post
from tests.builders import a_mailbox, a_user
from tests.connections import watching

HOST = "inside.test"
PRIVATE = (
    "10.0.0.1",
    "172.16.0.1",
    "192.168.1.1",
    "100.64.0.1",
    "fd00::1",
    "fec0::1",
    "::ffff:10.0.0.1",
    "2002:a00:1::1",
)
NEVER = ("169.254.169.254", "fe80::1", "0.0.0.0", "::", "224.0.0.1", "::ffff:169.254.169.254", "64:ff9b::a9fe:a9fe")  # noqa: S104
MACHINE = ("127.0.0.1", "::1", "127.1.2.3")


def _spec(port: int) -> ServerSpec:
    return ServerSpec(HOST, port, "ssl", "ann")


def _webhook() -> None:
    post.post(post.target(f"https://{HOST}/hook", allow_private=False), b"{}", {}, allow_private=False)


#: Every way out, and what it refuses besides NEVER, with the settings as they are at first.
WAYS: dict[str, tuple[Callable[[], object], tuple[str, ...]]] = {
    "imap": (lambda: imap.connect(_spec(993), "x"), PRIVATE),
    "smtp": (
        lambda: open_session(_spec(465), "x", allow_private=False, timeout=3.0, context=None),
        PRIVATE,
    ),
    "exchange": (lambda: Exchange(HOST, 443, plain=False, allow_private=False, timeout=3.0).open(), PRIVATE),
    "autoconfig": (lambda: lookups.Network(patience_s=2.0).autoconfig(f"ann@{HOST}"), PRIVATE + MACHINE),
    "webhook": (_webhook, PRIVATE + MACHINE),
    "remote image": (lambda: Way().fetch(f"https://{HOST}/a.png"), PRIVATE + MACHINE),
    "oauth": (lambda: oauth.session().get(f"https://{HOST}/token"), ()),  # the operator's own settings
}


class Resolver:
    """Answers every name with an address; later ones follow, the last stays."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, *answers: str) -> None:
        self.answers, self.asked = list(answers), 0
        monkeypatch.setattr(socket, "getaddrinfo", self)

    def __call__(self, _host: str, port: int, *_a: object, **_k: object) -> list[object]:
        self.asked += 1
        ip = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        family = socket.AF_INET6 if ":" in ip else socket.AF_INET
        return [(family, socket.SOCK_STREAM, 6, "", (ip, port))]


def _go(way: str) -> None:
    with suppress(MailcrmError, OSError, requests.RequestException):
        WAYS[way][0]()


@pytest.mark.parametrize("way", WAYS)
def test_no_way_out_leads_inside(way: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """0 connections to private space, to this machine where that is none of a mail server, to a cloud's metadata."""
    for ip in (*NEVER, *WAYS[way][1]):
        resolver = Resolver(monkeypatch, ip)
        with watching() as seen:
            _go(way)
        assert seen.connections == [], ip
        assert resolver.asked > 0, "the way out did not even ask: this test is blind"


@pytest.mark.parametrize("way", WAYS)
def test_no_way_out_asks_a_name_twice(way: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """DNS rebinding: the first answer is vetted and connected to; the second, inside, is never heard."""
    connected: list[str] = []

    def refuse(address: tuple[str, int], **_kwargs: object) -> socket.socket:
        connected.append(address[0])
        raise ConnectionRefusedError

    resolver = Resolver(monkeypatch, "93.184.216.34", "10.0.0.1")
    monkeypatch.setattr(hosts.socket, "create_connection", refuse)
    with watching() as seen:
        _go(way)
    assert set(connected) == {"93.184.216.34"}
    assert seen.connections == []
    if way != "autoconfig":  # it asks for two names, each once
        assert resolver.asked == 1


@pytest.mark.usefixtures("sqlite_db")
def test_a_connected_mailbox_whose_name_turns_inside_is_not_followed(monkeypatch: pytest.MonkeyPatch) -> None:
    """DNS rebinding months later: IMAP and SMTP vet what the name says at each connection; the email waits, unsent."""
    ann = a_user("Ann")
    secure = {"imap_security": "ssl", "smtp_security": "ssl", "imap_port": 993, "smtp_port": 465}
    box = a_mailbox(ann, "ann@shop.test", imap_host=HOST, smtp_host=HOST, **secure)
    written = draft.new_draft(ann, mailbox_id=box)
    draft.save(ann, written.id, DraftInput(box, "mika@saimaa.test", "", "", "Hi", "<p>x</p>"))
    queue.send(ann, written.id, delay_s=0)
    resolver = Resolver(monkeypatch, "10.0.0.7")
    with watching() as seen:
        report = sync_mailbox(box)
        asked = resolver.asked
        outgoing.deliver_due()
    assert report.error is not None
    assert report.error.code == "server.private"
    assert seen.connections == []
    assert 0 < asked < resolver.asked, "both ways asked anew"
    with reading() as session:
        assert session.get_one(Outbox, written.id).state != "sent"


def test_the_watch_sees_a_connection_and_a_question() -> None:
    """The positive control: what the tests above look with is not blind."""
    with socket.create_server(("127.0.0.1", 0)) as listener, watching() as seen:
        address = listener.getsockname()
        socket.create_connection(address).close()
    assert (seen.connections, seen.names) == ([address], ["127.0.0.1"])


@pytest.mark.parametrize("way", ["imap", "smtp", "exchange", "webhook", "remote image"])
def test_a_refusal_says_nothing_of_what_is_there(way: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """An address inside is refused before a port is asked: open and closed ones give one answer."""
    told: set[tuple[str, str]] = set()
    for ip in ("10.0.0.1", "10.0.0.2"):
        Resolver(monkeypatch, ip)
        with pytest.raises(MailcrmError) as refused:
            WAYS[way][0]()
        told.add((refused.value.code, str(refused.value)))
    assert len(told) == 1
